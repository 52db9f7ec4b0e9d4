/**
 * Where the commands of the documentation run, page after page: a dispatcher and a worker on loopback, for each page a
 * directory with the files that the pages speak of, stand-ins for programs that they start, and their names filled in.
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
case \${0##*/} in
  latexmk) last=\${last%.tex}.pdf ;;
  crunch) mkdir -p results && echo 1 > results/1.csv ;;
  make) [ "$*" != test ] || echo 1 > report.txt ;;
esac
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
  Makefile: 'test:\n',
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
    [/(?<=peers --wait )5s/g, '500ms'],
    [/(?<![\w.-])\/(?=(?:nas|srv|etc\/prometheus)\b)/g, `${directory}/`],
  ];
}

interface Given {
  readonly receiver: string;
  readonly token: string;
  readonly join: string;
  readonly task: string;
  readonly batch: string;
}

const lineOf = '\u001e';

/** What a page does to the dispatcher and its workers that the commands of other pages would notice. */
const lasting = /octaskly (?:cancel all|drain|kick|pause|prune|restore|secret)\b/;
/** Nodes and commands of such a page hear each other. */
const heard = /--p2p|octaskly peers/;

/** The commands of the page need a site that no other page has. */
export function isAlone(page: DocsPage): boolean {
  return commandsIn(page).some(({ command }) => lasting.test(command) || heard.test(command));
}

/** The place of the commands of pages. */
export class DocsSite {
  readonly #site = new Site();
  readonly #receiver: Receiver = openReceiver();
  readonly #isHeard: boolean;
  readonly #programs = this.#site.path('programs');
  #given: Given | null = null;
  #count = 0;

  /** A site for `page`, and for others that need not be alone. */
  constructor(page: DocsPage) {
    this.#isHeard = commandsIn(page).some(({ command }) => heard.test(command));
  }

  /** Runs the commands of a page to their end, or to the first that goes wrong. */
  async run(page: DocsPage): Promise<{ readonly done: readonly Done[]; readonly status: number | null }> {
    const commands = commandsIn(page);
    const refused = commands.flatMap(({ block, command }) => {
      const reason = whyNotRun(command);
      return reason === null ? [] : [`${block.page}:${block.line}: ${command}: ${reason}`];
    });
    if (refused.length > 0) throw new Error(`commands that are not run and do not say so:\n${refused.join('\n')}`);
    this.#given ??= await this.#start();
    const given = this.#given;
    const directory = this.#site.path(`here-${this.#count++}`);
    furnish(directory, page, given);
    writeFileSync(this.#site.path('calls'), '');
    const script = this.#site.path('commands');
    const lines = commands.map(
      ({ command }, n) => `printf '${lineOf}${n}\\n' | tee -a "$OCTASKLY_DOCS/calls"\n${command}`,
    );
    const filled = fillings(this.#site, directory, given).reduce(
      (text, [mark, value]) => text.replace(mark, () => value),
      lines.join('\n'),
    );
    writeFileSync(script, `set -eu\nexec 2>&1 < /dev/null\n${filled}\n`);
    const { status, stdout } = await this.#site.run([], {
      ...this.#how(),
      program: ['timeout', '240', 'sh', script],
      cwd: directory,
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

  /** Ends everything; throws when something of a task is left. */
  async close(): Promise<void> {
    this.#receiver.close();
    const left = await this.#site.close();
    if (left.length > 0) throw new Error(`processes were left behind: ${left.join('; ')}`);
  }

  /** Where pages speak of finding each other, nodes and commands do so on loopback and at a port of their own. */
  #how(): { env: Record<string, string> } {
    const discoveryPort = `${33_000 + (this.#site.port % 20_000)}`;
    const discovery = { OCTASKLY_DISCOVERY: 'true', OCTASKLY_INTERFACE: 'lo', OCTASKLY_DISCOVERY_PORT: discoveryPort };
    return {
      env: {
        PATH: `${this.#programs}:${process.env.PATH ?? '/usr/bin:/bin'}`,
        OCTASKLY_DOCS: this.#site.directory,
        OCTASKLY_DOCS_PROGRAM: this.#site.path('octaskly'),
        OCTASKLY_PORT: `${this.#site.port}`,
        OCTASKLY_PEER_PORT: '0',
        LC_ALL: 'C.UTF-8',
        ...(this.#isHeard ? discovery : {}),
      },
    };
  }

  /** What all pages have: the programs, and where completion goes. */
  async #prepare(): Promise<void> {
    for (const directory of ['.local/share/bash-completion/completions', '.zfunc', '.config/fish/completions']) {
      mkdirSync(join(this.#site.home, directory), { recursive: true });
    }
    mkdirSync(this.#programs);
    for (const name of standIns) writeFileSync(join(this.#programs, name), standIn, { mode: 0o755 });
    writeFileSync(join(this.#programs, 'octaskly'), readFileSync(join(import.meta.dir, 'docs-program.sh')), {
      mode: 0o755,
    });
    symlinkSync(await executable(), this.#site.path('octaskly'));
    // Tasks of other accounts come by here.
    chmodSync(this.#site.directory, 0o711);
  }

  /** A dispatcher and its worker; a batch that ended, whose one task left a file; an invite; a token. */
  async #start(): Promise<Given> {
    await this.#prepare();
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
    const join_ = await site.text(['invite', '--uses', '50', '-o', 'quiet']);
    return { receiver: this.#receiver.url, token, join: join_, task, batch: body.id };
  }
}

function commandsIn({ blocks }: DocsPage): { block: Block; command: string }[] {
  return blocks
    .filter((block) => isCommands(block) && block.notRun === null && block.language === 'sh')
    .flatMap((block) => commandsOf(block.text).map((command) => ({ block, command })));
}

/** The directory of a page, with its files and those that all have. */
function furnish(directory: string, { blocks }: DocsPage, { token }: Given): void {
  const own = blocks.flatMap(({ file, text }) => (file === null ? [] : [[file, text] as const]));
  for (const [name, text] of [...Object.entries(files), ...own]) {
    const path = join(directory, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
  }
  for (const name of ['nas', 'srv', 'etc/prometheus']) mkdirSync(join(directory, name), { recursive: true });
  writeFileSync(join(directory, 'ann.token'), token, { mode: 0o600 });
}

/** What stands behind each mark of a command, by its number. */
function parts(text: string): string[] {
  return text.split(new RegExp(`^${lineOf}\\d+\n`, 'm')).slice(1);
}
