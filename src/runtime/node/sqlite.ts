/**
 * Twin of `bun:sqlite` for Node 20, which has no SQLite. What keeps a database is not in that build; what is left is the
 * lock by a database, for systems without flock.
 */

import { OctasklyError } from '../../base/errors.ts';

/** There is none. Error: `io`. */
export class Database {
  constructor() {
    throw new OctasklyError('io', 'there is no program flock to lock it with: install util-linux or busybox');
  }
}
