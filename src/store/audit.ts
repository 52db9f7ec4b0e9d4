/**
 * The chain that ties audit entries together: each carries the SHA-256 of the one before it, so that an entry changed or
 * taken out later shows. It is evidence, not protection: whoever may write the file can write a new chain.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { isoOf } from './schema.ts';

/** One row of `audit_log`; `timestamp` is wall-clock ms. */
export interface AuditEntry {
  readonly id: number;
  readonly timestamp: number;
  readonly eventType: string;
  readonly actor: string;
  readonly workerId: string | null;
  readonly taskId: string | null;
  readonly details: string;
  readonly previousHash: string;
}

/** `previous_hash` of the first entry. */
export const auditStart = '0'.repeat(64);

/**
 * What the following entry carries: SHA-256, in hex, of the JSON array of this entry's columns in the order of the table
 * (id, timestamp, event_type, actor, worker_id, task_id, details, previous_hash), without spaces, in UTF-8.
 */
export function auditHash(entry: AuditEntry): string {
  const { id, timestamp, eventType, actor, workerId, taskId, details, previousHash } = entry;
  const columns = [id, isoOf(timestamp), eventType, actor, workerId, taskId, details, previousHash];
  return bytesToHex(sha256(utf8ToBytes(JSON.stringify(columns))));
}
