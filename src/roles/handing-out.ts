/**
 * The programs a dispatcher hands out: the file it runs from for its own kind of device, others from a release. Those are
 * taken out of their archives once, checked against the manifest, and kept in `dist/` of the data directory by their
 * SHA-256; what belongs to another release is removed from there.
 *
 * Invariant: the sums do not change while the dispatcher runs, since join tokens vouch for them; only a release that could
 * not be reached at first may come to them later.
 */

import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { DownloadPlaces } from '../api/download-places.ts';
import type { HandedOut, Installs } from '../api/installs.ts';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { DispatcherValues } from '../cli/options.ts';
import { fillInstallScript } from '../core/install-script.ts';
import { fileFor, manifestFile, type ReleaseFile, signatureFile } from '../core/release-manifest.ts';
import { programNameOn, type Target, targetNamed, targets } from '../core/targets.ts';
import type { Log } from '../ports/time.ts';
import { unpackMember } from '../runtime/archive.ts';
import { systemClock } from '../runtime/clock.ts';
import { gzipFile, type OpenProgram, openProgram, ownProgramFile, sha256OfFile } from '../runtime/program-bytes.ts';
import { releaseKey } from '../runtime/release-key.ts';
import { build, version } from '../version.ts';
import { absolute } from './common.ts';
import { type ReleaseSource, releaseAt, releaseIn } from './release-source.ts';
import { scriptText } from './script-text.ts' with { type: 'macro' };

const scripts = { sh: scriptText('install.sh'), ps1: scriptText('install.ps1') };

/** A release that could not be reached is asked for again no sooner than after this, ms. */
const againMs = 60_000;

interface Parts {
  readonly values: Pick<DispatcherValues, 'dist' | 'distUrl'>;
  readonly dataDir: string;
  readonly log: Log;
  /** As `InstallFacts.pin`; null = the scripts go by what the system trusts. */
  readonly pin: string | null;
}

/** One program: which file of the release it is in; null = it is the file that runs. */
interface Program {
  readonly target: Target;
  readonly sha256: string;
  readonly archive: ReleaseFile | null;
}

export class HandingOut implements Installs {
  readonly places = new DownloadPlaces(systemClock);
  readonly #parts: Parts;
  readonly #directory: string;
  /** Null = there is none, or (with `--dist-url`) none yet. */
  #release: ReleaseSource | null;
  #triedAt = Number.NEGATIVE_INFINITY;
  #own: Promise<Program | null> | null = null;
  #table: Promise<readonly Program[]> | null = null;
  /** Open files by their names in `dist/`, and the file that runs by its sum. */
  readonly #open = new Map<string, OpenProgram>();
  /** Files that are being made. */
  readonly #making = new Map<string, Promise<void>>();

  /** Errors: `usage` for what is no release of this version. */
  constructor(parts: Parts) {
    this.#parts = parts;
    const { dist, distUrl } = parts.values;
    this.#directory = join(parts.dataDir, 'dist');
    if (dist !== undefined && distUrl !== undefined) {
      throw new OctasklyError('usage', '--dist and --dist-url both say where the programs are: leave one of them out.');
    }
    if (distUrl !== undefined) checkUrl(distUrl);
    this.#release = dist === undefined ? null : releaseIn(absolute(dist));
  }

  script(kind: 'sh' | 'ps1', base: string): string {
    const { pin } = this.#parts;
    return fillInstallScript(scripts[kind], { base, ...(pin === null ? {} : { pin }) });
  }

  async sums(): Promise<string> {
    const programs = await this.#programs();
    if (programs.length === 0) throw nothing();
    return programs.map(({ sha256, target }) => `${sha256}  ${target.name}\n`).join('');
  }

  async program(name: string, form: 'bare' | 'gzip'): Promise<HandedOut> {
    const programs = await this.#programs();
    if (programs.length === 0) throw nothing();
    const wanted = targetNamed(name);
    const found = programs.find(({ target }) => target === wanted);
    if (found === undefined) {
      const there = programs.map(({ target }) => target.name).join(', ');
      const more = 'The dispatcher has others when it is started with --dist, the directory of a release';
      throw new OctasklyError('not_found', `There is no program for "${name}" here, only for ${there}. ${more}.`);
    }
    const file = form === 'bare' ? await this.#bare(found) : await this.#gzipped(found);
    return { file, size: this.#opened(file).size };
  }

  read(file: string, at: number, max: number): Uint8Array {
    return this.#opened(file).read(at, max);
  }

  /** The manifest that names these programs, with its signature; null where there is none, or nobody has signed it. */
  get signed(): { readonly manifest: string; readonly signature: string } | null {
    const { bytes, signature = null } = this.#release?.found ?? { bytes: new Uint8Array(0) };
    return signature === null ? null : { manifest: new TextDecoder().decode(bytes), signature };
  }

  close(): void {
    for (const file of this.#open.values()) file.close();
    this.#open.clear();
  }

  #programs(): Promise<readonly Program[]> {
    const isMissing = this.#release === null && this.#parts.values.distUrl !== undefined;
    const isDue = systemClock.steady() >= this.#triedAt + againMs;
    if (this.#table !== null && !(isMissing && isDue)) return this.#table;
    const table = this.#load();
    this.#table = table;
    // What failed now may work for whoever asks next.
    table.catch(() => {
      if (this.#table === table) this.#table = null;
    });
    return table;
  }

  async #load(): Promise<readonly Program[]> {
    this.#triedAt = systemClock.steady();
    await this.#fetchRelease();
    this.#own ??= this.#openOwn().catch((error: unknown) => {
      this.#own = null;
      throw error;
    });
    const own = await this.#own;
    const release = this.#release;
    const programs = targets.map((target): Program | null => {
      if (own?.target === target) return own;
      if (release === null) return null;
      const [program, archive] = [
        fileFor(release.manifest, target, 'program'),
        fileFor(release.manifest, target, 'archive'),
      ];
      return program === undefined || archive === undefined ? null : { target, sha256: program.sha256, archive };
    });
    const there = programs.filter((each) => each !== null);
    this.#sweep(there);
    return there;
  }

  async #fetchRelease(): Promise<void> {
    const { values, log } = this.#parts;
    if (this.#release !== null || values.distUrl === undefined || releaseKey === null) return;
    const url = values.distUrl.replace(/\/+$/, '');
    try {
      this.#release = await releaseAt({ url, key: releaseKey, cache: this.#directory });
    } catch (error) {
      log.warn('programs for other kinds of device are not handed out now', { reason: reasonOf(error) });
    }
  }

  async #openOwn(): Promise<Program | null> {
    const target = build.target === null ? undefined : targetNamed(build.target);
    if (target === undefined) return null;
    const file = openProgram(ownProgramFile());
    try {
      const sha256 = await file.sha256();
      this.#open.set(sha256, file);
      return { target, sha256, archive: null };
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Removes what is not of these programs, and what a start before this one did not finish. */
  #sweep(programs: readonly Program[]): void {
    const kept = new Set([manifestFile, signatureFile, ...programs.flatMap(({ sha256 }) => [sha256, `${sha256}.gz`])]);
    try {
      for (const name of readdirSync(this.#directory)) {
        if (!kept.has(name) && !this.#isDraft(name)) rmSync(join(this.#directory, name), { force: true });
      }
    } catch {
      // There is no such directory yet.
    }
  }

  /** Whether a file of this name belongs to one that is being made. */
  #isDraft(name: string): boolean {
    return this.#making.keys().some((made) => name.startsWith(`${made}.${process.pid}.`));
  }

  async #bare({ target, sha256, archive }: Program): Promise<string> {
    const release = this.#release;
    if (archive !== null && release !== null) {
      const unpack = async (draft: string): Promise<void> => {
        const copy = `${draft}.archive`;
        try {
          const packed = await release.archive(archive, copy);
          check(await sha256OfFile(packed), archive.sha256, packed);
          // What tells a zip from a tar is its name.
          const named = archive.file.endsWith('.zip') && packed === copy ? `${copy}.zip` : packed;
          if (named !== packed) renameSync(packed, named);
          await unpackMember(named, `octaskly-${version}-${target.name}/${programNameOn(target)}`, draft);
          check(await sha256OfFile(draft), sha256, `the program in ${archive.file}`);
        } finally {
          for (const left of [copy, `${copy}.zip`]) rmSync(left, { force: true });
        }
      };
      // What lay on the disk since an earlier start may have been damaged there.
      const isWhole = async (path: string): Promise<boolean> => (await sha256OfFile(path)) === sha256;
      await this.#made(sha256, unpack, isWhole);
    }
    return sha256;
  }

  async #gzipped(program: Program): Promise<string> {
    const bare = await this.#bare(program);
    const from = program.archive === null ? ownProgramFile() : join(this.#directory, bare);
    await this.#made(`${bare}.gz`, (draft) => gzipFile(from, draft));
    return `${bare}.gz`;
  }

  /** Sees to it that this file is in `dist/`, once for all who ask at the same time. */
  async #made(
    name: string,
    make: (draft: string) => Promise<void>,
    isWhole: (path: string) => Promise<boolean> = async () => true,
  ): Promise<void> {
    if (this.#open.has(name)) return;
    const path = join(this.#directory, name);
    const making =
      this.#making.get(name) ?? this.#provide(path, make, isWhole).finally(() => this.#making.delete(name));
    this.#making.set(name, making);
    await making;
  }

  async #provide(
    path: string,
    make: (draft: string) => Promise<void>,
    isWhole: (path: string) => Promise<boolean>,
  ): Promise<void> {
    const isThere = statSync(path, { throwIfNoEntry: false }) !== undefined;
    if (!(isThere && (await isWhole(path)))) await this.#make(path, make);
  }

  async #make(path: string, make: (draft: string) => Promise<void>): Promise<void> {
    const draft = `${path}.${process.pid}.new`;
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      await make(draft);
      await onDisk(draft);
      renameSync(draft, path);
    } catch (cause) {
      rmSync(draft, { force: true });
      if (cause instanceof OctasklyError) throw cause;
      throw new OctasklyError('io', `Cannot put a program into "${this.#directory}": ${reasonOf(cause)}.`, { cause });
    }
  }

  #opened(name: string): OpenProgram {
    const file = this.#open.get(name) ?? openProgram(join(this.#directory, name));
    this.#open.set(name, file);
    return file;
  }
}

/** A name that survives a loss of power has to lead to what it names. */
async function onDisk(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function nothing(): OctasklyError {
  return new OctasklyError(
    'not_found',
    'This dispatcher runs from its sources and has no program to hand out: run the compiled file (bun run build), or name the directory of a release with --dist.',
  );
}

function check(sum: string, should: string, what: string): void {
  if (sum === should) return;
  throw new OctasklyError(
    'io',
    `"${what}" is not what the manifest of its release says: its SHA-256 is ${sum}, not ${should}.`,
  );
}

/** Error: `usage`. */
function checkUrl(url: string): void {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new OctasklyError(
      'usage',
      `--dist-url "${url}" is not the address of a release such as https://host/octaskly/${version}.`,
    );
  }
  if (releaseKey !== null) return;
  throw new OctasklyError(
    'usage',
    '--dist-url needs a file that was built with a release key (bun run release), by which the release is known; fetch the release yourself and name its directory with --dist.',
  );
}
