/**
 * Puts a backup back: into a data directory without a dispatcher, or in place of what is there, which is moved aside.
 *
 * All is unpacked, compared with its sums and opened as a database before anything is touched; then it changes places in
 * one step (`runtime/restoring.ts`). What workers run from the same data directory stays as it is.
 *
 * Done by root in the directory of another account, as that of a service, it is done with that account's rights: what is
 * put there is the account's, and links it may have put there lead nowhere it could not go itself.
 *
 * Workers come back as after a restart, and go on with what the backup knew them to run. What they were given since the
 * backup is unknown to it: a fence (`core/fence.ts`) keeps its numbers from being given out a second time.
 */

import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import { note, type Terminal } from '../cli/context.ts';
import type { RestoreValues } from '../cli/options.ts';
import { withProgress } from '../cli/progress.ts';
import { exitOfSignal } from '../cli/status.ts';
import { formatBytes } from '../cli/text.ts';
import { fenceBeyond, fenceIn, fenceSetting, fenceText } from '../core/fence.ts';
import {
  databaseEntry,
  type Manifest,
  type OpenArchive,
  readArchive,
  stateEntries,
} from '../runtime/backup-archive.ts';
import { ensureDir, lockDispatcher } from '../runtime/data-dir.ts';
import { freeBytesOf } from '../runtime/file-bytes.ts';
import { finishRestore, type Replacement, replaceAll, restorePart } from '../runtime/restoring.ts';
import { asOwnerOf } from '../runtime/service-host.ts';
import { storeFiles } from '../runtime/store-files.ts';
import { openStore } from '../store/store.ts';
import { version } from '../version.ts';
import { absolute } from './common.ts';

/** What is left free beside what is unpacked, bytes. */
const slackBytes = 4 * 2 ** 20;
/** Of a dispatcher, beside its small files and its database: what belongs to the rows. */
const folders = ['blobs', 'output'];
/** What SQLite keeps beside a database. */
const companions = ['-wal', '-shm'];

interface Work {
  readonly dataDir: string;
  readonly archive: OpenArchive;
  /** Where the database was said to be; null = wherever the backup's own configuration has it. */
  readonly dbPath: string | null;
  readonly force: boolean;
  readonly terminal: Terminal;
}

/** Restores the backup `file`. Exit status 0. Errors: `invalid`, `conflict`, `in_use`, `io`, `storage_*`. */
export async function runRestore(values: RestoreValues, file: string, terminal: Terminal): Promise<number> {
  const { dataDir, dbPath, force } = values;
  const given = dbPath === undefined ? null : absolute(dbPath);
  const archive = opened(file);
  try {
    const work = { dataDir: absolute(dataDir), archive, dbPath: given, force, terminal };
    ensureDir(work.dataDir);
    await asOwnerOf(work.dataDir, () => restoreLocked(work));
    return 0;
  } finally {
    closeSync(archive.fd);
  }
}

/** Error: `io`. */
function opened(file: string): OpenArchive {
  const path = absolute(file);
  const facts = file === '' ? undefined : statSync(path, { throwIfNoEntry: false });
  if (facts === undefined) throw new OctasklyError('io', `There is no backup "${file}" to restore.`);
  if (!facts.isFile()) {
    throw new OctasklyError('io', `"${file}" is no file; put what comes by a pipe into one, and try again.`);
  }
  try {
    return { file: path, fd: openSync(path, 'r') };
  } catch (cause) {
    throw new OctasklyError('io', `Cannot read the backup "${file}": ${reasonOf(cause)}.`, { cause });
  }
}

async function restoreLocked(work: Work): Promise<void> {
  const lock = lockedAgainst(work.dataDir);
  try {
    // One that was cut short goes first: what it has moved aside is the present.
    finishRestore(work.dataDir);
    if (!work.force) checkEmpty(work);
    await restore(work);
  } finally {
    lock.release();
  }
}

function lockedAgainst(dataDir: string): ReturnType<typeof lockDispatcher> {
  try {
    return lockDispatcher(dataDir);
  } catch (cause) {
    if (!(cause instanceof OctasklyError) || cause.code !== 'in_use') throw cause;
    const message = `Cannot restore into "${dataDir}": a dispatcher runs there, or another restore; stop it first.`;
    throw new OctasklyError('in_use', message, { cause });
  }
}

function checkEmpty({ dataDir, dbPath }: Work): void {
  const names = [databaseEntry, 'node.key', 'secret', ...folders].map((name) => join(dataDir, name));
  const found = [...(dbPath === null ? [] : [dbPath]), ...names].find(existsSync);
  if (found === undefined) return;
  throw new OctasklyError(
    'conflict',
    `Cannot restore into "${dataDir}": there is a dispatcher's "${found}" already; with --force it is moved aside, or name another --data-dir.`,
  );
}

async function restore(work: Work): Promise<void> {
  const { dataDir, archive, terminal } = work;
  const part = restorePart(dataDir);
  const total = fstatSync(archive.fd).size;
  checkSpace(dataDir, total);
  const deaf = terminal.onSignal((signal) => {
    rmSync(part, { recursive: true, force: true });
    process.exit(exitOfSignal(signal));
  });
  try {
    mkdirSync(part, { mode: 0o700 });
    const manifest = await withProgress(terminal, { verb: 'Unpacking', total }, ({ moved }) =>
      readArchive(archive, part, moved),
    );
    prepareDatabase(join(part, databaseEntry), manifest, terminal.now());
    const database = work.dbPath ?? databaseOf(part, dataDir);
    deaf();
    const aside = `before-restore-${new Date(terminal.now()).toISOString().replaceAll(':', '')}`;
    replaceAll(dataDir, replacementsOf({ dataDir, part, database, aside }));
    await tell(work, manifest, join(dataDir, aside));
  } finally {
    deaf();
    rmSync(part, { recursive: true, force: true });
  }
}

/** Error: `io`. */
function checkSpace(dataDir: string, bytes: number): void {
  const free = freeBytesOf(dataDir);
  if (free >= bytes + slackBytes) return;
  const [needed, there] = [bytes + slackBytes, free].map(formatBytes);
  const message = `Cannot restore into "${dataDir}": it takes ${needed}, and ${there} are free there; free some space, or name another --data-dir.`;
  throw new OctasklyError('io', message);
}

/** Opens it, which moves an older one forward and refuses a newer one; has it know that it was restored. */
function prepareDatabase(database: string, { createdAt, program }: Manifest, wallMs: number): void {
  const store = openStore(database, storeFiles);
  try {
    const { tasks, lastId, settings } = store.load();
    const attemptMax = tasks.reduce((most, { attempt }) => Math.max(most, attempt), 0);
    const fence = fenceBeyond({ lastId, attemptMax }, fenceIn(settings.get(fenceSetting) ?? null));
    const details = JSON.stringify({ backup_of: createdAt, backup_by: program, version });
    const none = { workerId: null, taskId: null };
    store.commit([
      { kind: 'setting', key: fenceSetting, value: fenceText(fence) },
      { kind: 'audit', at: wallMs, eventType: 'restored', actor: 'owner', ...none, details },
    ]);
  } finally {
    store.close();
  }
}

/** Where the dispatcher will look for its database, by the configuration that is restored. */
function databaseOf(part: string, dataDir: string): string {
  const config = join(part, 'config.toml');
  const usual = join(dataDir, databaseEntry);
  if (!existsSync(config)) return usual;
  try {
    const entries = Object.entries(Bun.TOML.parse(readFileSync(config, 'utf8')));
    const found = entries.find(([key]) => key.replaceAll('_', '-') === 'db-path')?.[1];
    return typeof found === 'string' ? absolute(found) : usual;
  } catch (cause) {
    throw new OctasklyError('invalid', `The config.toml of the backup cannot be read: ${reasonOf(cause)}.`, { cause });
  }
}

interface Places {
  readonly dataDir: string;
  readonly part: string;
  readonly database: string;
  /** Name of the folder for what is there now. */
  readonly aside: string;
}

function replacementsOf({ dataDir, part, database, aside }: Places): readonly Replacement[] {
  const of = (name: string): Replacement => {
    const from = join(part, name);
    return { name: join(dataDir, name), from: existsSync(from) ? from : null, aside: join(dataDir, aside, name) };
  };
  const isInside = dirname(database) === dataDir;
  const old = (suffix: string): string =>
    isInside ? join(dataDir, aside, `${databaseEntry}${suffix}`) : `${database}.${aside}${suffix}`;
  return [
    ...[...stateEntries, ...folders].map(of),
    ...companions.map((suffix) => ({ name: `${database}${suffix}`, from: null, aside: old(suffix) })),
    { name: database, from: broughtBeside(part, database, isInside), aside: old('') },
  ];
}

/** The unpacked database, on the file system it is for. */
function broughtBeside(part: string, database: string, isInside: boolean): string {
  const unpacked = join(part, databaseEntry);
  if (isInside) return unpacked;
  const beside = `${database}.restore.part`;
  ensureDir(dirname(database));
  storeFiles.copy(unpacked, beside);
  return beside;
}

async function tell({ terminal, dataDir, archive }: Work, manifest: Manifest, aside: string): Promise<void> {
  const { blobs, damaged, missing, createdAt } = manifest;
  await terminal.stdout.write(`${dataDir}: restored as of ${createdAt}, with ${blobs} blobs, from ${archive.file}\n`);
  if (existsSync(aside)) await note(terminal, `what was there before is in "${aside}"; delete it when all is well.`);
  const lost = damaged.length + missing.length;
  if (lost > 0) await note(terminal, `${lost} stored files were missing or damaged when the backup was made.`);
}
