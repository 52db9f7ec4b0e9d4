/** A part of the table of `options.ts`: what a dispatcher keeps, where and for how long. */

import { duration, type OptionTable, path } from './option.ts';

/** ms. */
export const day = 86_400_000;

export const keepingOptions = {
  dbPath: path('db-path', { defaultText: 'octaskly.db in the data directory', help: 'SQLite file' }),
  retentionMs: duration('retention', {
    default: 30 * day,
    defaultText: '30d',
    minMs: 1000,
    maxMs: 36_500 * day,
    help: 'Ended tasks older than this are deleted',
  }),
  auditRetentionMs: duration('audit-retention', {
    default: 365 * day,
    defaultText: '365d',
    minMs: 0,
    maxMs: 36_500 * day,
    help: 'Entries of the record (audit) older than this are deleted, 0 = none',
  }),
} satisfies OptionTable;
