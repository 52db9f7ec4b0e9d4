/** What is said to a side that speaks the protocol before this one: nothing that it does not know. */

import { expect, test } from 'bun:test';
import { dispatcherDialect, workerDialect } from '../../../src/wire/dialects.ts';
import { protocolVersion, protocolVersionMin } from '../../../src/wire/messages.ts';
import { dispatcherMessages, workerMessages } from './samples.ts';

test('the protocol before this one is understood', () => {
  expect(protocolVersionMin).toBe(protocolVersion - 1);
});

test('since() tells messages apart that protocol 5 does not know, in both directions', () => {
  const newer = (messages: readonly { readonly kind: string }[], since: ((message: never) => number) | undefined) =>
    [...new Set(messages.filter((message) => (since?.(message as never) ?? 0) > 5).map(({ kind }) => kind))].toSorted();
  expect(newer(dispatcherMessages, dispatcherDialect.since)).toEqual(['update']);
  expect(newer(workerMessages, workerDialect.since)).toEqual(expect.arrayContaining(['resting', 'updating']));
});

test('a declaration for protocol 5 has the fields of then, and one that came so has no program', () => {
  const join = workerMessages.find((message) => message.kind === 'join');
  if (join?.kind !== 'join') throw new Error('there is a sample of a join');
  const row = workerDialect.pack(join, 5);
  expect((row[1] as unknown[]).length).toBe(13);
  const read = dispatcherDialect.check(row, 5);
  expect(read).toEqual({ ...join, worker: { ...join.worker, program: null } });
  expect(dispatcherDialect.check(workerDialect.pack(join, 6))).toEqual(join);
});
