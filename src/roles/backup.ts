/**
 * A backup of a dispatcher in one file, also while it runs: the database as it is at one instant, the files and outputs its
 * rows name, and what makes the dispatcher who it is. Workers run from the same data directory are not in it: a device has
 * its identity for itself.
 *
 * Nothing that rows name is deleted meanwhile: whoever deletes asks for the same lock. Where somebody looks and it takes
 * long, another process of this program copies the database, since SQLite leaves no turn to whoever copies, and this one
 * says how far it is.
 */

import { accessSync, constants, existsSync, linkSync, lstatSync, realpathSync, renameSync, statSync } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import { note, type Terminal } from '../cli/context.ts';
import type { BackupValues } from '../cli/options.ts';
import { type Progress, withProgress } from '../cli/progress.ts';
import { exitOfSignal } from '../cli/status.ts';
import { formatBytes } from '../cli/text.ts';
import { shellQuoted } from '../core/service/definition.ts';
import { databaseEntry, type Manifest, type Source, stateEntries, writeArchive } from '../runtime/backup-archive.ts';
import { freeBytesOf, hasCode } from '../runtime/file-bytes.ts';
import { ownCommandLine } from '../runtime/isolation.ts';
import { acquireLock, type Lock } from '../runtime/lock.ts';
import { storeFiles, syncDirectory } from '../runtime/store-files.ts';
import { blobsNamedIn, copyDatabase, schemaOf } from '../store/snapshot.ts';
import { version } from '../version.ts';
import { absolute } from './common.ts';
import { filesLockPath } from './pruning.ts';

/** Smaller databases are copied within a second, bytes. */
const worthBytes = 64 * 2 ** 20;
const lookEveryMs = 200;
/** What is left free beside a backup, bytes: headers, the list, and others who write. */
const slackBytes = 4 * 2 ** 20;
/** What SQLite keeps beside a database. */
const companions = ['-wal', '-shm', '-journal'];
/** Of a data directory, beside its database and what goes into a backup. */
const ownNames = ['api', 'dispatcher.lock', 'files.lock', 'restore.json'];
const ownFolders = ['blobs', 'output', 'workers', 'restore.part'];

interface Work {
  readonly dataDir: string;
  readonly database: string;
  /** Absolute path of the backup. */
  readonly target: string;
  /** What exists there may be replaced. */
  readonly force: boolean;
  readonly terminal: Terminal;
  /** Aborted by a signal, for what has to end with this process. */
  readonly broken: AbortSignal;
}

/** Writes a backup to `file`. Exit status 0. Errors: `not_found`, `conflict`, `in_use`, `io`, `storage_*`. */
export async function runBackup(values: BackupValues, file: string, terminal: Terminal): Promise<number> {
  if (file === '') throw new OctasklyError('usage', 'The name of the file to write is empty: octaskly backup FILE.');
  if (file === '-') {
    const why = 'A backup is not written to standard output, since it has its name only when it is whole';
    throw new OctasklyError('usage', `${why}: octaskly backup FILE (./- for a file of that name).`);
  }
  const dataDir = absolute(values.dataDir);
  const database = absolute(values.dbPath ?? join(dataDir, databaseEntry));
  const broken = new AbortController();
  const { force } = values;
  const work: Work = { dataDir, database, target: absolute(file), force, terminal, broken: broken.signal };
  check(work);
  // What is written meanwhile, by a child too, and what SQLite has beside it.
  const parts = ['.part', '.part.db', '.part.db.part'].flatMap((suffix) =>
    ['', '-journal'].map((more) => `${work.target}${suffix}${more}`),
  );
  const remove = (): void => parts.forEach(storeFiles.remove);
  const deaf = terminal.onSignal((signal) => {
    broken.abort();
    remove();
    process.exit(exitOfSignal(signal));
  });
  try {
    await (values.databaseOnly ? copyAlone(work) : backUp(work));
    return 0;
  } finally {
    remove();
    deaf();
  }
}

/** Errors: `not_found`, `conflict`, `io`. */
function check({ dataDir, database, target, force }: Work): void {
  if (!existsSync(database)) {
    throw new OctasklyError(
      'not_found',
      `There is no database "${database}" to back up; name it with --data-dir or --db-path.`,
    );
  }
  if (isOwn(target, { dataDir, database })) {
    throw new OctasklyError(
      'conflict',
      `Cannot write the backup to "${target}": that is the dispatcher's own, which a backup would destroy; name another file.`,
    );
  }
  if (existsSync(target) && !force) throw taken(target);
  if (existsSync(target) && !statSync(target).isFile()) {
    throw new OctasklyError('io', `Cannot write "${target}": it is no file.`);
  }
  if (!existsSync(dirname(target))) {
    throw new OctasklyError(
      'io',
      `There is no directory "${dirname(target)}"; make it and try again: mkdir -p ${shellQuoted(dirname(target))}`,
    );
  }
  try {
    accessSync(dirname(target), constants.W_OK);
  } catch (cause) {
    throw new OctasklyError('io', `Cannot write "${target}": ${reasonOf(cause)}.`, { cause });
  }
}

/** Whether the name `target` belongs to the dispatcher that is saved, whatever `--force` says. */
function isOwn(target: string, { dataDir, database }: Pick<Work, 'dataDir' | 'database'>): boolean {
  const files = ['', ...companions].map((suffix) => `${database}${suffix}`);
  const names = [...stateEntries, ...ownNames].map((name) => join(dataDir, name));
  const place = placeOf(target);
  return (
    [...files, ...names].some((file) => placeOf(file) === place || isSameFile(file, target)) ||
    ownFolders.some((folder) => place.startsWith(placeOf(join(dataDir, folder)) + sep))
  );
}

/** The path without links on the way to it. */
function placeOf(file: string): string {
  try {
    return join(realpathSync(dirname(file)), basename(file));
  } catch {
    return file;
  }
}

/** Also where names that differ mean one file, as on disks that do not tell `A` from `a`. */
function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((file) => lstatSync(file, { throwIfNoEntry: false, bigint: true }));
  return a !== undefined && b !== undefined && a.ino !== 0n && a.ino === b.ino && a.dev === b.dev;
}

function taken(target: string): OctasklyError {
  return new OctasklyError(
    'conflict',
    `Cannot write "${target}": it exists; name a file that does not, or replace it with --force.`,
  );
}

/** The database alone, as one that SQLite opens. */
async function copyAlone(work: Work): Promise<void> {
  const part = `${work.target}.part`;
  checkSpace(work, statSync(work.database).size);
  await copyShown(work, part);
  // A signal that came while SQLite copied is heard now.
  await Bun.sleep(0);
  place(work, part);
}

async function backUp(work: Work): Promise<void> {
  const { dataDir, database, target, terminal } = work;
  const lock = lockFiles(dataDir);
  try {
    const copy = `${target}.part.db`;
    checkSpace(work, statSync(database).size);
    const createdAt = new Date(terminal.now()).toISOString();
    await copyShown(work, copy);
    const schema = schemaOf(copy);
    const sources: Source[] = [
      { name: databaseEntry, file: copy },
      ...stateEntries.map((name) => ({ name, file: join(dataDir, name) })).filter(({ file }) => existsSync(file)),
      ...blobsNamedIn(copy).map((blob) => blobSource(dataDir, blob)),
    ];
    const total = sources.reduce((sum, { file }) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);
    checkSpace(work, total);
    const part = `${target}.part`;
    storeFiles.remove(part);
    const manifest = await withProgress(terminal, { verb: 'Writing', total }, ({ moved }) =>
      writeArchive(part, sources, { facts: { program: version, createdAt, schema }, moved }),
    );
    place(work, part);
    await tell(work, manifest);
  } finally {
    lock?.release();
  }
}

/** Keeps others from deleting files of this data directory. Error: `in_use`. */
function lockFiles(dataDir: string): Lock | null {
  if (!existsSync(dataDir)) return null;
  try {
    const lock = acquireLock(filesLockPath(dataDir));
    if (lock !== null) return lock;
  } catch (error) {
    // From a disk that can only be read, a failing one perhaps, nobody deletes anything.
    if (error instanceof OctasklyError && hasCode(error.cause, 'EROFS')) return null;
    throw error;
  }
  throw new OctasklyError(
    'in_use',
    `Files of the data directory "${dataDir}" are being backed up, or old ones deleted, just now; try again when that has ended.`,
  );
}

function blobSource(dataDir: string, blob: string): Source {
  const hex = blob.slice('sha256:'.length);
  const name = `blobs/${hex.slice(0, 2)}/${hex.slice(2)}`;
  return { name, file: join(dataDir, name) };
}

/** Error: `io`. */
function checkSpace({ target }: Work, bytes: number): void {
  const directory = dirname(target);
  const free = freeBytesOf(directory);
  if (free >= bytes + slackBytes) return;
  const [needed, there] = [bytes + slackBytes, free].map(formatBytes);
  throw new OctasklyError(
    'io',
    `Cannot write the backup "${target}": it takes ${needed}, and ${there} are free in "${directory}"; free some space, or write it elsewhere.`,
  );
}

/** Copies the database to the new file `copy`. */
async function copyShown({ database, terminal, broken }: Work, copy: string): Promise<void> {
  storeFiles.remove(copy);
  const { size } = statSync(database);
  if (!terminal.stderr.isTTY || size < worthBytes) {
    copyDatabase(database, copy, storeFiles, isStill(database));
    return;
  }
  const child = Bun.spawn([...ownCommandLine(), 'backup', copy, '--database-only', '--db-path', database], {
    env: { HOME: terminal.homeDir },
    signal: broken,
    killSignal: 'SIGKILL',
    ...({ stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' } as const),
  });
  const said = new Response(child.stderr).text();
  await withProgress(terminal, { verb: 'Copying', total: size }, (progress) => watch(child, copy, progress));
  if ((await child.exited) === 0) return;
  throw new OctasklyError('io', (await said).trim().replace(/^octaskly: /, '') || 'The database cannot be copied.');
}

/** On a disk that can only be read SQLite cannot make the files by which it takes turns, and what is whole needs none. */
function isStill(database: string): boolean {
  if (existsSync(`${database}-wal`)) return false;
  try {
    accessSync(dirname(database), constants.W_OK);
    return false;
  } catch (error) {
    return hasCode(error, 'EROFS');
  }
}

async function watch(child: { readonly exited: Promise<number> }, copy: string, { moved }: Progress): Promise<void> {
  const ended = child.exited.then(() => true);
  for (let seen = 0; !(await Promise.race([ended, Bun.sleep(lookEveryMs).then(() => false)])); ) {
    const bytes = statSync(`${copy}.part`, { throwIfNoEntry: false })?.size ?? seen;
    moved(bytes - seen);
    seen = bytes;
  }
}

/** Gives a whole file its name. Errors: `conflict` when another one has it by now, `io`. */
function place({ target, force }: Work, part: string): void {
  try {
    if (force) renameSync(part, target);
    else if (!isLinked(part, target)) {
      if (existsSync(target)) throw taken(target);
      renameSync(part, target);
    }
    storeFiles.remove(part);
    syncDirectory(dirname(target));
  } catch (cause) {
    if (cause instanceof OctasklyError) throw cause;
    throw new OctasklyError('io', `Cannot write "${target}": ${reasonOf(cause)}.`, { cause });
  }
}

/** A second name for a file, which replaces none; false where the file system has no such thing. */
function isLinked(part: string, target: string): boolean {
  try {
    linkSync(part, target);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) throw taken(target);
    return false;
  }
}

async function tell({ target, terminal, dataDir }: Work, manifest: Manifest): Promise<void> {
  const { files, blobs, damaged, missing } = manifest;
  const size = formatBytes(statSync(target).size);
  await terminal.stdout.write(`${target}: database, ${files.length - 1} small files, ${blobs} blobs, ${size}\n`);
  if (!files.some(({ name }) => name === 'node.key')) {
    await note(
      terminal,
      `there is no key in "${dataDir}": the backup has the database, but workers know no other by it.`,
    );
  }
  const lost = [...damaged, ...missing].length;
  if (lost === 0) return;
  const [first = ''] = [...missing, ...damaged];
  await note(terminal, `${lost} stored files are missing or damaged here already, ${first} first: tasks lose them.`);
}
