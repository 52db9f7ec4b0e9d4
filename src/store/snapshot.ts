/**
 * Consistent copies of a database, also while a dispatcher uses it, and what is in them: for backups, and before an
 * upgrade. Changes nothing in the database that is copied, and does not move it forward either.
 * https://www.sqlite.org/lang_vacuum.html#vacuuminto
 */

import { OctasklyError } from '../base/errors.ts';
import type { Connection } from './connection.ts';
import type { StoreFiles } from './files.ts';
import { migrations } from './migrations.ts';
import { openForReading } from './origin.ts';

/** Larger databases, bytes, are moved forward without a copy of how they were. */
const copiedBytesMax = 2 ** 30;

/**
 * Copies the database at `file` to `target`, which must not exist; it is private and on disk when this returns.
 * `isStill`: nobody can write to it, as its disk can only be read. Errors: `storage_*`, `conflict`, `io`; nothing is left
 * then.
 */
export function copyDatabase(file: string, target: string, files: StoreFiles, isStill = false): void {
  const connection = openForReading(file, isStill ? 'still' : 'read');
  try {
    copyTo(connection, target, files);
  } finally {
    connection.close();
  }
}

/** The blobs that rows of the database at `file`, which nobody uses, say are here. Errors: `storage_*`. */
export function blobsNamedIn(file: string): string[] {
  const connection = openForReading(file, 'still');
  try {
    const columns = new Set(
      connection
        .rows<{ place: string }>(
          "SELECT s.name || '.' || c.name AS place FROM sqlite_schema s, pragma_table_info(s.name) c WHERE s.type = 'table'",
        )
        .map(({ place }) => place),
    );
    const sources = ['tasks.stdout_blob', 'tasks.stderr_blob', 'input_blobs.blob', 'outputs.blob']
      .filter((place) => columns.has(place))
      .map((place) => {
        const [table, column] = place.split('.');
        const isHere = place === 'outputs.blob' && columns.has('outputs.kept_at') ? 'AND kept_at IS NULL' : '';
        return `SELECT ${column} AS blob FROM ${table} WHERE ${column} IS NOT NULL ${isHere}`;
      });
    return connection.tuples<readonly [string]>(`${sources.join(' UNION ')} ORDER BY blob`).map(([blob]) => blob);
  } finally {
    connection.close();
  }
}

/** Path of the copy that is kept when a database of version `schema` is moved forward. */
export function upgradeCopyPath(file: string, schema: number): string {
  return `${file}.before-v${schema}`;
}

/** Keeps a copy of a database that is about to be moved forward. Error: `storage_unavailable`. */
export function copyBeforeUpgrade(connection: Connection, files: StoreFiles): void {
  const schema = connection.pragma('user_version');
  if (schema === 0 || schema >= migrations.length) return;
  if (connection.pragma('page_count') * connection.pragma('page_size') > copiedBytesMax) return;
  const target = upgradeCopyPath(connection.file, schema);
  const draft = `${target}.part`;
  try {
    files.remove(draft);
    copyTo(connection, draft, files);
    files.rename(draft, target);
  } catch (cause) {
    files.remove(draft);
    const message = `Cannot upgrade the database "${connection.file}": a copy of it has to be kept first, as "${target}", and that fails; free some space and start again. The database is as it was.`;
    throw new OctasklyError('storage_unavailable', message, { cause });
  }
}

/** The file is made first, empty and private, so that nobody else can read or replace it while it fills. */
function copyTo(connection: Connection, target: string, files: StoreFiles): void {
  files.create(target);
  try {
    connection.rows('VACUUM INTO ?', target);
    files.sync(target);
  } catch (error) {
    files.remove(target);
    throw error;
  }
}

/** The version of the schema of the database at `file`, which nobody uses. Errors: `storage_*`. */
export function schemaOf(file: string): number {
  const connection = openForReading(file, 'still');
  try {
    return connection.pragma('user_version');
  } finally {
    connection.close();
  }
}
