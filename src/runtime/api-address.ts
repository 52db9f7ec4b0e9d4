/** Where the API of the dispatcher of a data directory is, for commands on the same machine: the file `api` holds its URL. */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../ports/time.ts';
import { placeOf } from './addresses.ts';
import { readPrivate, writePrivate } from './data-dir.ts';

const pathIn = (dataDir: string): string => join(dataDir, 'api');

/** How this machine reaches an API bound to `bind`. */
export function localUrlOf(scheme: 'http' | 'https', bind: string, port: number): string {
  const host = bind === '0.0.0.0' ? '127.0.0.1' : bind === '::' ? '::1' : bind;
  return `${scheme}://${placeOf(host, port)}`;
}

/** Leaves the URL for commands; returns what takes it away again. Commands can do without: a full disk is no reason to stop. */
export function announceApi(dataDir: string, url: string, log: Log): () => void {
  try {
    writePrivate(pathIn(dataDir), url);
  } catch (error) {
    log.debug('commands will not find the API by the data directory', { reason: String(error) });
  }
  return () => rmSync(pathIn(dataDir), { force: true });
}

/** The URL left by the dispatcher that runs, or was killed, with this data directory; null when there is none. */
export function announcedApi(dataDir: string): string | null {
  return readPrivate(pathIn(dataDir));
}
