/**
 * How each system's files differ in what is not their name (`paths.ts`): whom they are open to, and how they are made
 * durable. Pure: modes and platforms are handed in.
 *
 * References: fsync(2), FlushFileBuffers (Microsoft), which takes handles that were opened for writing.
 */

/**
 * What accounts other than its owner may do with a file or directory of `mode` (permission bits; others are ignored). On
 * Windows always nothing, as far as the mode tells: access lists say it there, which a mode knows nothing of.
 */
export function othersMay(platform: string, mode: number): 'nothing' | 'look' | 'change' {
  if (platform === 'win32' || (mode & 0o077) === 0) return 'nothing';
  return (mode & 0o022) === 0 ? 'look' : 'change';
}

/**
 * How a file or directory is opened to wait until it is on disk; null where there is no way to, and no need. Windows makes
 * durable only what is open for writing, and names by itself.
 */
export function syncFlagsOn(platform: string, what: 'file' | 'directory'): 'r' | 'r+' | null {
  if (platform !== 'win32') return 'r';
  return what === 'file' ? 'r+' : null;
}
