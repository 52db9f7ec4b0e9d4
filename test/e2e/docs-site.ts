/**
 * Where the commands of one page of the documentation run: a dispatcher and a worker on loopback, a directory with the
 * files that the pages speak of, stand-ins for programs that they start, and their names filled in.
 *
 * Everything is below the directory of one site. What `octaskly` is in these commands says `docs-program.sh`.
 */

import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Block, commandsOf, type DocsPage, isCommands } from '../docs-blocks.ts';
import { whyNotRun } from '../docs-calls.ts';
import { executable } from './executable.ts';
import { openReceiver, type Receiver } from './receiver.ts';
import { Site } from './site.ts';

/** A command of a page, what it wrote, and how it went. */
export interface Done {
  readonly block: Block;
  readonly command: string;
  /** Standard output and error as they came. */
  readonly output: string;
  /** Every call of `octaskly` in it, with its status in front: `0 run uname -a`. */
  readonly calls: readonly string[];
}

/** Programs that commands of the pages start and that need not be there: each writes the file that its last word names. */
const standIns = 'cargo crunch ffmpeg flac htop latexmk make plot render test-case top'.split(' ');

const standIn = `#!/bin/sh
for last; do :; done
case \${0##*/} in latexmk) last=\${last%.tex}.pdf ;; crunch) mkdir -p results && echo 1 > results/1.csv ;; esac
case $last in -* | *' '* | *=*) ;; *.*) [ -e "$last" ] || echo "\${0##*/} $*" > "$last" ;; esac
echo "\${0##*/} $*"
`;

const program = (body: string): string => `#!/bin/sh\n${body}\n`;

/** What lies in the directory of a page; a name that ends in a slash is a directory. */
const files: Readonly<Record<string, string>> = {
  'a.log': 'one\n',
  'b.log': 'two\n',
  'a.wav': 'RIFF\n',
  'b.wav': 'RIFF\n',
  'a.avi': 'RIFF\n',
  'holiday.mov': 'moov\n',
  'birthday.mov': 'moov\n',
  'report.tex': 'Hello.\n',
  'figures/one.svg': '<svg/>\n',
  'data/one.csv': '1,2\n',
  'data.csv': '1,2\n',
  't.csv': 'a,b\nc,d\n',
  'disk.img': '0000\n',
  'list.txt': 'a.log\nb.log\n',
  'names.txt': 'b\na\nb\n',
  'list-of-wavs.txt': 'a.wav\nb.wav\n',
  frames: '1\n2\n',
  'commands.txt': 'echo one\necho two\n',
  'jobs.yaml': 'tasks:\n  - { command: "true" }\n',
  'nightly.yaml': 'tasks:\n  - { name: build, command: "true" }\n',
  'src/main.c': 'int main(void) { return 0; }\n',
  'tests/test_one.py': '\n',
  'tool.sh': program('echo tool'),
  crunch: program('mkdir -p results && echo 1 > results/1.csv'),
  'nas/in.mkv': 'mkv\n',
  'nas/logs/a.log': 'one\n',
  'srv/project/Makefile': 'all:\n',
};

/** What stands for something else in a text, and what it is here; the first that fits counts. */
function fillings(site: Site, directory: string, given: Given): readonly (readonly [RegExp, string])[] {
  return [
    [/https?:\/\/(?:127\.0\.0\.1|localhost|192\.168\.\d+\.\d+|HOST|DISPATCHER):3000/g, site.url],
    [/(?:https:\/\/)(?:example\.org|ntfy\.sh|chat\.home)\//g, `${given.receiver}/`],
    [/octa[12]\w*(?:…|\.\.\.)|(?<=--join )TOKEN/g, given.join],
    [/(?<=batch:)01hq3v5k9m2x/g, given.batch],
    [/01hq3v5k9m2x/g, given.task],
    [/192\.168\.\d+\.\d+|(?<=-bind )0\.0\.0\.0/g, '127.0.0.1'],
    [/--port 7878|--api-port 3000/g, ''],
    [/(?<![\w.-])\/(?=(?:nas|srv|etc\/prometheus)\b)/g, `${directory}/`],
  ];
}

interface Given {
  readonly receiver: string;
  readonly join: string;
  readonly task: string;
  readonly batch: string;
}

const lineOf = '\u001e';

/** One page and the place of its commands. */
export class DocsSite {
  readonly #site = new Site();
  readonly #receiver: Receiver = openReceiver();
  readonly #page: DocsPage;
  readonly #directory = this.#site.path('here');
  readonly #programs = this.#site.path('programs');

  constructor(page: DocsPage) {
    this.#page = page;
  }

  /** Runs the commands of the page to their end, or to the first that goes wrong. */
  async run(): Promise<{ readonly done: readonly Done[]; readonly status: number | null }> {
    const refused = this.#commands().flatMap(({ block, command }) => {
      const reason = whyNotRun(command);
      return reason === null ? [] : [`${block.page}:${block.line}: ${command}: ${reason}`];
    });
    if (refused.length > 0) throw new Error(`commands that are not run and do not say so:\n${refused.join('\n')}`);
    await this.#furnish();
    const given = await this.#start();
    const commands = this.#commands();
    const script = this.#site.path('commands');
    const lines = commands.map(
      ({ command }, n) => `printf '${lineOf}${n}\\n' | tee -a "$OCTASKLY_DOCS/calls"\n${command}`,
    );
    const filled = fillings(this.#site, this.#directory, given).reduce(
      (text, [mark, value]) => text.replace(mark, () => value),
      lines.join('\n'),
    );
    writeFileSync(script, `set -eu\nexec 2>&1 < /dev/null\n${filled}\n`);
    const { status, stdout } = await this.#site.run([], {
      ...this.#how(),
      program: ['timeout', '240', 'sh', script],
      cwd: this.#directory,
    });
    const outputs = parts(stdout.toString());
    const calls = parts(readFileSync(this.#site.path('calls'), 'utf8'));
    const done = commands.slice(0, outputs.length).map((command, n) => ({
      ...command,
      output: outputs[n] ?? '',
      calls: (calls[n] ?? '').split('\n').filter((line) => line !== ''),
    }));
    return { done, status };
  }

  #commands(): { block: Block; command: string }[] {
    return this.#page.blocks
      .filter((block) => isCommands(block) && block.notRun === null && block.language === 'sh')
      .flatMap((block) => commandsOf(block.text).map((command) => ({ block, command })));
  }

  /** Ends everything; throws when something of a task is left. */
  async close(): Promise<void> {
    this.#receiver.close();
    const left = await this.#site.close();
    if (left.length > 0) throw new Error(`processes were left behind: ${left.join('; ')}`);
  }

  /** Nodes and commands of a page that speaks of finding each other hear each other, on loopback and at a port of its own. */
  #how(): { env: Record<string, string> } {
    const discoveryPort = `${33_000 + (this.#site.port % 20_000)}`;
    const isHeard = /--p2p|octaskly peers/.test(this.#page.text);
    const discovery = { OCTASKLY_DISCOVERY: 'true', OCTASKLY_INTERFACE: 'lo', OCTASKLY_DISCOVERY_PORT: discoveryPort };
    return {
      env: {
        PATH: `${this.#programs}:${process.env.PATH ?? '/usr/bin:/bin'}`,
        OCTASKLY_DOCS: this.#site.directory,
        OCTASKLY_DOCS_PROGRAM: this.#site.path('octaskly'),
        OCTASKLY_PORT: `${this.#site.port}`,
        OCTASKLY_PEER_PORT: '0',
        LC_ALL: 'C.UTF-8',
        ...(isHeard ? discovery : {}),
      },
    };
  }

  async #furnish(): Promise<void> {
    const own = this.#page.blocks.flatMap(({ file, text }) => (file === null ? [] : [[file, text] as const]));
    for (const [name, text] of [...Object.entries(files), ...own]) {
      const path = join(this.#directory, name);
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
    }
    for (const directory of ['nas', 'srv', 'etc/prometheus'])
      mkdirSync(join(this.#directory, directory), { recursive: true });
    for (const directory of ['.local/share/bash-completion/completions', '.zfunc', '.config/fish/completions']) {
      mkdirSync(join(this.#site.home, directory), { recursive: true });
    }
    mkdirSync(this.#programs);
    for (const name of standIns) writeFileSync(join(this.#programs, name), standIn, { mode: 0o755 });
    writeFileSync(join(this.#programs, 'octaskly'), readFileSync(join(import.meta.dir, 'docs-program.sh')), {
      mode: 0o755,
    });
    symlinkSync(await executable(), this.#site.path('octaskly'));
    writeFileSync(this.#site.path('calls'), '');
    // Tasks of other accounts come by here.
    chmodSync(this.#site.directory, 0o711);
  }

  /** A dispatcher and its worker; a batch that ended, whose one task left a file; an invite; a token. */
  async #start(): Promise<Given> {
    const site = this.#site;
    const how = this.#how();
    await site.dispatcher(
      ['--notify', `${this.#receiver.url}/hook`, '--notify-allow', '127.0.0.1', '--max-workers', '50'],
      how,
    );
    const account = process.getuid?.() === 0 ? ['--task-user', 'nobody', '--work-dir', site.path('work')] : [];
    const offer = ['--max-jobs', '8', '--cpu-cores', '8', '--memory', '16384', '--label', 'zone=attic'];
    await site.worker('attic-pi', [...offer, ...account], how);
    const { body } = await site.call<{ id: string; task_ids: string[] }>('POST', '/api/v1/batches', {
      tasks: [{ command: 'echo 1 > report.txt', outputs: ['report.txt'], tags: { project: 'film' } }],
    });
    const task = body.task_ids[0] ?? '';
    await site.reached(task, 'completed');
    const token = await site.text(['token', 'create', '--name', 'ann', '-o', 'quiet']);
    writeFileSync(join(this.#directory, 'ann.token'), token, { mode: 0o600 });
    const join_ = await site.text(['invite', '--uses', '50', '-o', 'quiet']);
    return { receiver: this.#receiver.url, join: join_, task, batch: body.id };
  }
}

/** What stands behind each mark of a command, by its number. */
function parts(text: string): string[] {
  return text.split(new RegExp(`^${lineOf}\\d+\n`, 'm')).slice(1);
}
