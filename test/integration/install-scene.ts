/**
 * A device on which the install script runs: a temporary home, and a dispatcher or release of which only what the script
 * asks for is there. The program it hands out is a few lines of shell, so that a run takes milliseconds.
 *
 * Invariant: after `close` no process and no file of it is left.
 */

import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeInvite } from '../../src/core/invite.ts';
import { sha256Hex } from '../../src/runtime/keys.ts';

export const script = join(import.meta.dir, '../../scripts/install.sh');

/** Answers as the program does, as far as the script asks. `version`: what it says it is. */
export function program(version = '9.8.7'): string {
  return `#!/bin/sh
case $1 in
  version) echo "octaskly ${version}" ;;
  completion) echo "# completion of octaskly for $2" ;;
  *) echo "$*" >>"$HOME/started" ;;
esac
`;
}

/** The shells there are here, as commands. */
export const shells: readonly (readonly string[])[] = [['dash'], ['bash'], ['busybox', 'sh']].filter(([name = '']) => {
  const isHere = Bun.which(name) !== null;
  if (!isHere) console.warn(`not tested: the install script under ${name}: it is not installed`);
  return isHere;
});

export interface Ran {
  readonly status: number | null;
  /** Both streams. */
  readonly text: string;
}

export class InstallScene {
  readonly directory = mkdtempSync(join(tmpdir(), 'octaskly-install-'));
  readonly home = join(this.directory, 'home');
  readonly prefix = join(this.directory, 'prefix');
  /** What the server hands out, by path without its slash; null = it never answers. */
  readonly files = new Map<string, string | Uint8Array<ArrayBuffer> | null>();
  readonly asked: string[] = [];
  readonly #server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: (request) => {
      const name = new URL(request.url).pathname.slice(1);
      this.asked.push(name);
      const file = this.files.get(name);
      if (file === null) return new Promise<Response>(() => undefined);
      return file === undefined ? new Response('no', { status: 404 }) : new Response(file);
    },
  });

  constructor() {
    mkdirSync(this.home);
    // Root would look for data of services of this machine.
    this.put('id', 'echo 1000');
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  /** Hands out a program for these targets, as a dispatcher does; gives the sums. */
  offer(text: string | Uint8Array<ArrayBuffer> = program(), targets: readonly string[] = ['linux-x64']): string {
    const sums = targets.map((target) => `${sha256Hex(text)}  ${target}\n`).join('');
    this.files.set('download/SHA256SUMS', sums);
    for (const target of targets) {
      this.files.set(`download/${target}`, text);
      this.files.set(`download/${target}.gz`, Bun.gzipSync(text));
    }
    return sums;
  }

  /** A join token that vouches for these sums. */
  token(sums: string): string {
    return encodeInvite({
      inviteId: '00112233445566ff',
      secret: new Uint8Array(16).fill(7),
      dispatcherKey: 'ab'.repeat(32),
      expiresAt: 1_790_000_123_456,
      addresses: ['192.168.1.20:7878'],
      sums: sha256Hex(sums),
    });
  }

  /** A program that comes first on the script's PATH. */
  put(name: string, text: string): void {
    mkdirSync(this.path('bin'), { recursive: true });
    writeFileSync(this.path('bin', name), `#!/bin/sh\n${text}\n`);
    chmodSync(this.path('bin', name), 0o755);
  }

  /** This machine says it is another one. */
  uname(facts: { system?: string; machine: string; os?: string }): void {
    const { system = 'Linux', machine, os = 'GNU/Linux' } = facts;
    this.put('uname', `case $1 in -s) echo ${system} ;; -m) echo ${machine} ;; -o) echo ${os} ;; esac`);
  }

  environment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    const path = `${this.path('bin')}:${process.env.PATH ?? '/usr/bin:/bin'}`;
    return { PATH: path, HOME: this.home, SHELL: '/bin/bash', ...more };
  }

  start(command: readonly string[], more: Readonly<Record<string, string>> = {}) {
    return Bun.spawn([...command], {
      ...{ cwd: this.directory, env: this.environment(more), stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' },
    });
  }

  /** The script in a shell, with these arguments. */
  run(shell: readonly string[], args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<Ran> {
    return this.runCommand([...shell, script, ...args], more);
  }

  async runCommand(command: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<Ran> {
    const child = this.start(command, more);
    const texts = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    return { status: await child.exited, text: texts.join('') };
  }

  /** With the usual place, and without what no test but one looks at. */
  install(shell: readonly string[], ...args: readonly string[]): Promise<Ran> {
    return this.run(shell, ['--from', this.url, '--prefix', this.prefix, '--no-completion', ...args]);
  }

  /** Names of everything in the directory of programs. */
  installed(): string[] {
    try {
      return readdirSync(join(this.prefix, 'bin'));
    } catch {
      return [];
    }
  }

  /** The directory of a release that holds this program for x64. */
  release(text = program(), version = '9.8.7'): { readonly directory: string; readonly manifest: string } {
    const directory = this.path('release');
    const inside = `octaskly-${version}-linux-x64`;
    mkdirSync(this.path('pack', inside), { recursive: true });
    mkdirSync(directory, { recursive: true });
    writeFileSync(this.path('pack', inside, 'octaskly'), text);
    const archive = `${inside}.tar.gz`;
    Bun.spawnSync(['tar', '-czf', join(directory, archive), '-C', this.path('pack'), inside], {
      env: this.environment(),
    });
    const packed = readFileSync(join(directory, archive));
    const of = { target: 'linux-x64', bytes: packed.length };
    const files = [
      { ...of, file: archive, kind: 'archive', sha256: sha256Hex(packed) },
      { ...of, file: 'octaskly-linux-x64', kind: 'program', sha256: sha256Hex(text) },
    ];
    const facts = { commit: 'a'.repeat(40), date: '2026-01-01T00:00:00Z', protocol: { min: 1, max: 1 }, files };
    const manifest = JSON.stringify({ name: 'octaskly', version, ...facts }, null, 2);
    writeFileSync(join(directory, 'manifest.json'), manifest);
    cpSync(script, join(directory, 'install.sh'));
    return { directory, manifest };
  }

  close(): void {
    this.#server.stop(true);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
