/**
 * A device with Windows on which `install.ps1` runs, in a PowerShell of its own: under Wine, since its registry and its
 * files have to be those of Windows. OCTASKLY_TEST_POWERSHELL names that PowerShell, as a program that this machine starts
 * and that runs in the Windows of WINEPREFIX; Debian has none. The program it installs is a few lines of C.
 *
 * Invariant: after `close` no process and no file of it is left but the Windows of the tests, whose Path is as it was.
 */

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zip } from '../../scripts/release/archives.ts';
import { fillInstallScript, type InstallFacts } from '../../src/core/install-script.ts';
import { sha256Hex } from '../../src/runtime/keys.ts';
import { InstallScene, type Ran, script } from '../integration/install-scene.ts';
import { openWine, type Wine, whyNoWine } from './wine.ts';

const powershell = process.env.OCTASKLY_TEST_POWERSHELL ?? '';
const source = readFileSync(script.replace(/sh$/, 'ps1'), 'utf8');
const compiler = 'x86_64-w64-mingw32-gcc';
const target = 'windows-x64';
/** What of the user's Path was there before; as nobody's Path is, so that it is seen to stay. */
const pathBefore = 'C:\\first;%USERPROFILE%\\x';

/** Why install.ps1 cannot be run here; null when it can. */
export function whyNoPowerShell(): string | null {
  if (powershell === '') return 'OCTASKLY_TEST_POWERSHELL names no PowerShell for Windows';
  return whyNoWine();
}

export class WindowsDevice {
  readonly scene = new InstallScene();
  /** Of programs, in a name that needs care wherever it goes: as this machine has it, and as Windows does. */
  readonly prefix: string;
  readonly windowsPrefix: string;
  readonly #wine: Wine;
  readonly #drive: string;
  readonly #directory: string;
  readonly #programs = new Map<string, Uint8Array<ArrayBuffer>>();

  constructor(wine: Wine) {
    this.#wine = wine;
    this.#drive = join(wine.env.WINEPREFIX ?? '', 'drive_c');
    const name = `octaskly-test-${process.pid}`;
    this.#directory = join(this.#drive, name);
    this.prefix = join(this.#directory, "It's [a] tëst");
    this.windowsPrefix = `C:\\${name}\\It's [a] tëst`;
    this.#registry('add', '/t', 'REG_EXPAND_SZ', '/d', pathBefore, '/f');
  }

  static async open(): Promise<WindowsDevice> {
    return new WindowsDevice(await openWine());
  }

  /** A program of this version. */
  program(version = '9.8.7'): Uint8Array<ArrayBuffer> {
    const made = this.#programs.get(version) ?? this.#compiled(version);
    this.#programs.set(version, made);
    return made;
  }

  #compiled(version: string): Uint8Array<ArrayBuffer> {
    const out = this.scene.path(`${version}.exe`);
    const command = [compiler, '-O1', `-DVERSION="${version}"`, '-o', out, join(import.meta.dir, 'small-program.c')];
    const { success, stderr } = Bun.spawnSync(command, { env: { PATH: process.env.PATH ?? '/usr/bin:/bin' } });
    if (!success) throw new Error(`${compiler}: ${stderr.toString()}`);
    return new Uint8Array(readFileSync(out));
  }

  /** Hands out, as a release, this program; gives its manifest. */
  async release(version = '9.8.7', program = this.program(version)): Promise<string> {
    const inside = `octaskly-${version}-${target}`;
    const from = this.scene.path('pack', version);
    mkdirSync(join(from, inside), { recursive: true });
    writeFileSync(join(from, inside, 'octaskly.exe'), program);
    const packed = new Uint8Array(await zip({ from, date: new Date('2026-01-31T12:34:56Z'), level: 1 }));
    const files = [{ file: `${inside}.zip`, target, kind: 'archive', bytes: packed.length, sha256: sha256Hex(packed) }];
    const manifest = JSON.stringify({ name: 'octaskly', version, files });
    this.scene.files.set('manifest.json', manifest);
    this.scene.files.set(`${inside}.zip`, packed);
    return manifest;
  }

  /** The script as somebody hands it out who fills in these facts. */
  async run(args: readonly string[], facts: InstallFacts = {}): Promise<Ran> {
    const path = this.scene.path('install.ps1');
    writeFileSync(path, fillInstallScript(source, { base: this.scene.url, ...facts }));
    // As text, since a host without a console shows no errors of files.
    const call = `& ([scriptblock]::Create([IO.File]::ReadAllText(${quoted(this.#wine.path(path))}))) ${args.join(' ')}`;
    const command = `try { ${call} } catch { [Console]::Error.WriteLine($_.Exception.Message); exit 1 }; exit 0`;
    const encoded = Buffer.from(command, 'utf16le').toString('base64');
    const words = [powershell, '-NoProfile', '-NonInteractive', '-OutputFormat', 'Text', '-EncodedCommand', encoded];
    return this.scene.runCommand(words, { ...this.#wine.env, OCTASKLY_TEST_CALLS: this.#wine.path(this.#calls) });
  }

  /** With the usual place. */
  install(args: readonly string[] = [], facts: InstallFacts = {}): Promise<Ran> {
    return this.run(['-Prefix', quoted(this.windowsPrefix), ...args], facts);
  }

  /** Starts the program that is installed, and waits until it runs. */
  async start(): Promise<{ stop(): Promise<void> }> {
    const child = Bun.spawn([...this.#wine.command, `${this.windowsPrefix}\\octaskly.exe`, 'stay'], {
      ...{ env: this.#wine.env, stdin: 'ignore', stdout: 'pipe', stderr: 'ignore' },
    });
    await child.stdout.getReader().read();
    return {
      stop: async () => {
        child.kill();
        await child.exited;
      },
    };
  }

  /** What the program was told to do, a line each, and forgets it. */
  calls(): string[] {
    try {
      const text = readFileSync(this.#calls, 'utf8');
      writeFileSync(this.#calls, '');
      return text.split(/\r?\n/).filter((line) => line !== '');
    } catch {
      return [];
    }
  }

  get #calls(): string {
    return this.scene.path('calls');
  }

  /** Names of everything in the directory of programs. */
  installed(): string[] {
    try {
      return readdirSync(this.prefix).toSorted();
    } catch {
      return [];
    }
  }

  /** What the program there is, by its bytes. */
  isInstalled(version: string): boolean {
    return Buffer.from(this.program(version)).equals(readFileSync(join(this.prefix, 'octaskly.exe')));
  }

  /** The user's Path behind what was there before, as far as it is ASCII; null when that was changed. */
  get added(): string | null {
    const text = this.#registry('query');
    const value = /REG_EXPAND_SZ {4}(.*?)\r?\n/.exec(text)?.[1] ?? '';
    return value.startsWith(pathBefore) ? value.slice(pathBefore.length) : null;
  }

  /** The home directory of the user, as this machine has it. */
  get home(): string {
    const users = join(this.#drive, 'users');
    const name = readdirSync(users).find((each) => each !== 'Public');
    return join(users, name ?? '');
  }

  #registry(verb: string, ...more: readonly string[]): string {
    const command = [...this.#wine.command, 'reg', verb, 'HKCU\\Environment', '/v', 'Path', ...more];
    const { stdout } = Bun.spawnSync(command, { env: this.#wine.env, stdin: 'ignore', stderr: 'ignore' });
    // In the code page of a console, which no decoder here knows.
    return asciiOf(stdout.toString('latin1'));
  }

  close(): void {
    this.#registry('delete', '/f');
    this.#wine.close();
    rmSync(this.#directory, { recursive: true, force: true });
    this.scene.close();
  }
}

/** With a question mark for whatever else there is. */
export function asciiOf(text: string): string {
  return text.replaceAll(/[^\x20-\x7e\r\n]/g, '?');
}

/** A word of PowerShell that means just this. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
