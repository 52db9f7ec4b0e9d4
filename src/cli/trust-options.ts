/** A part of the table of `options.ts`: the commands on who may do what: invites, tokens, the record, the secret. */

import { roles } from '../core/trust.ts';
import { day } from './keeping-options.ts';
import { choice, duration, int, type OptionTable, oneCall, path, perhaps, string } from './option.ts';
import { lookOptions, reachOptions } from './shared-options.ts';

/** `invite`: what is not given is the dispatcher's to choose. */
export const inviteOptions = {
  ...oneCall({
    uses: int('uses', { defaultText: '1', min: 1, max: 1000, help: 'Devices that may join with it' }),
    expiresMs: duration('expires', {
      defaultText: '1h',
      minMs: 1000,
      maxMs: 365 * day,
      help: 'How long it can be used',
    }),
    name: string('name', { help: 'Name of the device, for one use' }),
    qr: perhaps('qr', { defaultText: 'on a terminal', help: 'Draw a QR code' }),
  }),
  ...lookOptions,
} satisfies OptionTable;

/** `token`: what is not given is the dispatcher's to choose. */
export const tokenOptions = {
  ...oneCall({
    role: choice('role', roles, { defaultText: 'client', help: 'What its bearer may do' }),
    name: string('name', { help: 'Who bears it: its tasks go by this name' }),
    expiresMs: duration('expires', {
      defaultText: '90d',
      minMs: 1000,
      maxMs: 3650 * day,
      help: 'How long it is valid',
    }),
  }),
  ...lookOptions,
} satisfies OptionTable;

export const auditOptions = {
  ...oneCall({
    since: string('since', { placeholder: 'TIME', help: 'Only younger than 30m, 2h, … or since an ISO 8601 instant' }),
    type: string('type', { placeholder: 'EVENT', help: 'Only entries of this kind' }),
    actor: string('actor', { placeholder: 'NAME', help: 'Only what this one did' }),
    limit: int('limit', { short: 'l', defaultText: 'all', min: 1, max: 1_000_000, help: 'Most entries, the newest' }),
    dbPath: path('db-path', { help: 'verify: this SQLite file, instead of asking the dispatcher' }),
  }),
  output: choice('output', ['table', 'json', 'jsonl', 'quiet'], {
    short: 'o',
    default: 'table',
    help: 'table for people, json, jsonl with one entry a line, quiet for ids only',
  }),
  ...reachOptions,
} satisfies OptionTable;

export const secretCommandOptions = {
  ...oneCall({
    graceMs: duration('grace', {
      default: day,
      defaultText: '1d',
      minMs: 0,
      maxMs: 365 * day,
      help: 'How long the old secret stays valid',
    }),
  }),
  ...lookOptions,
} satisfies OptionTable;
