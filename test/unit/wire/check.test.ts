import { describe, expect, test } from 'bun:test';
import { filesMax } from '../../../src/core/files.ts';
import { decodeCbor, encodeCbor } from '../../../src/wire/cbor.ts';
import {
  checkDispatcherMessage,
  halveDispatcherMessage,
  packDispatcherMessage,
} from '../../../src/wire/dispatcher-messages.ts';
import { fieldLimits, MalformedMessage } from '../../../src/wire/fields.ts';
import {
  blobDataBytesMax,
  blobRangesMax,
  entriesMax,
  inlineOutputBytesMax,
  outputChunkBytesMax,
} from '../../../src/wire/messages.ts';
import { checkWorkerMessage, halveWorkerMessage, packWorkerMessage } from '../../../src/wire/worker-messages.ts';
import { assignments, dispatcherMessages, entries, workerMessages } from './samples.ts';

type Row = unknown[];

/** Every message as a row, with the check of its direction. */
const cases: readonly { readonly name: string; readonly row: Row; readonly check: (value: unknown) => unknown }[] = [
  ...workerMessages.map((message, i) => ({
    name: `worker ${i} ${message.kind}`,
    row: packWorkerMessage(message),
    check: checkWorkerMessage,
  })),
  ...dispatcherMessages.map((message, i) => ({
    name: `dispatcher ${i} ${message.kind}`,
    row: packDispatcherMessage(message),
    check: checkDispatcherMessage,
  })),
];

/** Places of all fields of a row, of the rows in it too. */
function places(value: unknown, path: readonly number[] = []): readonly (readonly number[])[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((field: unknown, i) => [[...path, i], ...places(field, [...path, i])]);
}

/** A copy of `row` in which `change` was applied to the row and index that `path` names. */
function changed(row: Row, path: readonly number[], change: (parent: Row, index: number) => void): Row {
  const copy = structuredClone(row);
  let parent: Row = copy;
  for (const index of path.slice(0, -1)) parent = parent[index] as Row;
  change(parent, path.at(-1) ?? 0);
  return copy;
}

function fieldAt(row: Row, path: readonly number[]): unknown {
  return path.reduce<unknown>((value, index) => (value as Row)[index], row);
}

/** What `act` gives; null when it refuses. */
function attempt<T>(act: () => T): T | null {
  try {
    return act();
  } catch (error) {
    if (error instanceof MalformedMessage) return null;
    throw error;
  }
}

/** How the lists of texts in the samples begin: words of a command, patterns and problems of outputs, keys, lines of a log. */
const textLists: readonly unknown[] = ['one', 'printf', 'out/*.mp4', '"x" is a symbolic link', 'c4'.repeat(32)];

/** Lists may become shorter and longer; rows may not. */
function isList(row: Row, path: readonly number[]): boolean {
  const elements = fieldAt(row, path.slice(0, -1)) as Row;
  const [first] = elements;
  const isTexts = elements.every((element) => typeof element === 'string');
  return (isTexts && textLists.includes(first)) || elements.every((element) => Array.isArray(element));
}

describe('checkWorkerMessage() and checkDispatcherMessage()', () => {
  test('give back every message that was packed and travelled as CBOR', () => {
    for (const message of workerMessages) {
      expect(checkWorkerMessage(decodeCbor(encodeCbor(packWorkerMessage(message))))).toEqual(message);
    }
    for (const message of dispatcherMessages) {
      expect(checkDispatcherMessage(decodeCbor(encodeCbor(packDispatcherMessage(message))))).toEqual(message);
    }
  });

  test('keep a variable named __proto__ a variable', () => {
    const message = checkDispatcherMessage(packDispatcherMessage({ kind: 'assign', attempts: assignments }));
    const env = message.kind === 'assign' ? message.attempts[0]?.spec.env : undefined;
    expect(Object.keys(env ?? {})).toContain('__proto__');
    expect(Object.getPrototypeOf(env)).toBe(Object.prototype);
  });

  test('refuse every message with any field removed or added', () => {
    let tried = 0;
    for (const { name, row, check } of cases) {
      for (const path of places(row)) {
        if (isList(row, path)) continue;
        tried += 2;
        const at = `${name} at ${path.join('.')}`;
        expect(() => check(changed(row, path, (parent, i) => parent.splice(i, 1))), at).toThrow(MalformedMessage);
        expect(() => check(changed(row, path, (parent, i) => parent.splice(i, 0, 0))), at).toThrow(MalformedMessage);
      }
    }
    expect(tried).toBeGreaterThan(400);
  });

  test('refuse every message with any field of another type', () => {
    for (const { name, row, check } of cases) {
      for (const path of places(row)) {
        for (const intruder of [undefined, { a: 1 }, Number.NaN, Number.POSITIVE_INFINITY, 5n, Symbol('x'), -1e300]) {
          const value = changed(row, path, (parent, i) => {
            parent[i] = intruder;
          });
          expect(() => check(value), `${name} at ${path.join('.')}`).toThrow(MalformedMessage);
        }
      }
    }
  });

  test('refuse every message with any field enlarged beyond what any field may hold', () => {
    /** Numbers without a bound of their own: times and usages, finite and not negative. */
    const unbounded = Number.MAX_VALUE;
    const longText = 'x'.repeat(2 * fieldLimits.stdinLengthMax);
    const manyBytes = new Uint8Array(2 * blobDataBytesMax);
    const enlarged = (field: unknown): readonly unknown[] => {
      if (typeof field === 'number') return [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
      if (typeof field === 'string') return [longText, `${field}\0${field}`];
      if (field instanceof Uint8Array) return [manyBytes];
      if (!Array.isArray(field)) return [[field]];
      return [[...field, ...new Array(filesMax + 1).fill(field[0] ?? 0)]];
    };
    const tried = new Map<string, number>();
    for (const { name, row, check } of cases) {
      for (const path of places(row)) {
        for (const large of enlarged(fieldAt(row, path))) {
          // The one text that may hold NUL is what a task reads.
          if (typeof large === 'string' && large.startsWith('a\0b')) continue;
          const value = changed(row, path, (parent, i) => {
            parent[i] = large;
          });
          const kind = String(row[0]);
          tried.set(kind, (tried.get(kind) ?? 0) + 1);
          expect(() => check(value), `${name} at ${path.join('.')}`).toThrow(MalformedMessage);
        }
        if (typeof fieldAt(row, path) !== 'number') continue;
        const value = changed(row, path, (parent, i) => {
          parent[i] = unbounded;
        });
        // Whatever is let through has the number as it came: nothing wraps around.
        const taken = attempt(() => check(value));
        if (taken !== null) expect(JSON.stringify(taken)).toContain(`${unbounded}`);
      }
    }
    const kinds = new Set([...workerMessages, ...dispatcherMessages].map(({ kind }) => kind));
    expect(new Set(tried.keys())).toEqual(kinds);
  });

  test('refuse messages of the other direction, unknown kinds and what is no row', () => {
    // Blobs are asked for and given in both directions.
    const isOneWay = ({ kind }: { kind: string }): boolean => !kind.startsWith('blob');
    for (const message of workerMessages.filter(isOneWay)) {
      expect(() => checkDispatcherMessage(packWorkerMessage(message))).toThrow(MalformedMessage);
    }
    for (const message of dispatcherMessages.filter(isOneWay)) {
      expect(() => checkWorkerMessage(packDispatcherMessage(message))).toThrow(MalformedMessage);
    }
    for (const value of [null, 1, 'join', [], [[]], ['nonsense'], {}, new Uint8Array(3), ['__proto__'], ['toString']]) {
      expect(() => checkWorkerMessage(value)).toThrow(MalformedMessage);
      expect(() => checkDispatcherMessage(value)).toThrow(MalformedMessage);
    }
  });

  test('hold every bound: the largest value passes, the next one does not', () => {
    const key = ['01hxyz456789', 1];
    const output = (size: number, offset = 0) => ['output', ...key, 'stdout', offset, new Uint8Array(size)];
    const report = (entry: Row, count = 1) => ['report', Array.from({ length: count }, () => entry)];
    const started = (id: unknown, attempt: unknown) => report(['started', id, attempt, 1]);
    const usage = [1, 1, 1, 1, 1, 1, 1, 'basic'];
    const ended = (size: number, files = 0) => {
      const file = ['a', new Uint8Array(32), 1, false];
      const listed = Array.from({ length: files }, () => file);
      return report(['ended', ...key, 1, ['exited', 0], usage, new Uint8Array(size), null, listed, [], false]);
    };
    const hash = new Uint8Array(32);
    const wanted = (length: number, count = 1) => [
      'blobWanted',
      Array.from({ length: count }, () => [hash, 0, length]),
    ];
    const data = (size: number) => ['blobData', [[hash, 0, new Uint8Array(size)]]];
    const pairs: readonly (readonly [unknown, unknown])[] = [
      [output(outputChunkBytesMax), output(outputChunkBytesMax + 1)],
      [output(1, Number.MAX_SAFE_INTEGER), output(1, 2 ** 53)],
      [ended(inlineOutputBytesMax), ended(inlineOutputBytesMax + 1)],
      [ended(0, filesMax), ended(0, filesMax + 1)],
      [wanted(blobDataBytesMax), wanted(blobDataBytesMax + 1)],
      [wanted(1, blobRangesMax), wanted(1, blobRangesMax + 1)],
      [data(blobDataBytesMax), data(blobDataBytesMax + 1)],
      [
        ['blobRefused', hash, ''],
        ['blobRefused', new Uint8Array(31), ''],
      ],
      [report(['returned', ...key], entriesMax), report(['returned', ...key], entriesMax + 1)],
      [started('01hxyz456789', fieldLimits.attemptMax), started('01hxyz456789', fieldLimits.attemptMax + 1)],
      [started('01hxyz456789', 1), started('01hxyz456789', 0)],
      [started('01hxyz456789', 1), started('01hxyz456789', 1.5)],
      [started('01hxyz456789', 1), started('01hxyz45678', 1)],
      [started('01hxyz456789', 1), started('01hxyz45678i', 1)],
      [started('01hxyz456789', 1), started('01HXYZ456789', 1)],
      [started('01hxyz456789', 1), started('01hxyz456789\n', 1)],
    ];
    for (const [fits, exceeds] of pairs) {
      expect(() => checkWorkerMessage(fits)).not.toThrow();
      expect(() => checkWorkerMessage(exceeds)).toThrow(MalformedMessage);
    }
  });

  test('hold the bounds of an assignment', () => {
    const [first] = assignments;
    if (first === undefined) throw new Error('there is an assignment');
    const withSpec = (spec: Partial<typeof first.spec>) =>
      packDispatcherMessage({ kind: 'assign', attempts: [{ ...first, spec: { ...first.spec, ...spec } }] });
    const variables = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`V${i}`, '']));
    const fits = [
      { command: 'x'.repeat(fieldLimits.commandLengthMax) },
      { env: variables(fieldLimits.pairsMax) },
      { command: null, argv: Array.from({ length: fieldLimits.argvMax }, () => '') },
    ];
    const exceeds = [
      { command: 'x'.repeat(fieldLimits.commandLengthMax + 1) },
      { command: 'a\0b' },
      { command: null, argv: null },
      { argv: ['both'] },
      { env: variables(fieldLimits.pairsMax + 1) },
      { env: { '1': '' } },
      { env: { 'A=B': '' } },
      { env: { A: '\0' } },
      { command: null, argv: Array.from({ length: fieldLimits.argvMax + 1 }, () => '') },
      { priority: 101 },
      { priority: 0.5 },
      { timeoutMs: fieldLimits.timeoutMsMax + 1 },
      { stdin: { kind: 'text' as const, text: 'x'.repeat(fieldLimits.stdinLengthMax + 1) } },
      { requires: { ...first.spec.requires, labels: { '-x': '' } } },
      { requires: { ...first.spec.requires, cpuCores: -1 } },
    ];
    for (const spec of fits) expect(() => checkDispatcherMessage(withSpec(spec))).not.toThrow();
    for (const spec of exceeds) expect(() => checkDispatcherMessage(withSpec(spec))).toThrow(MalformedMessage);
  });

  test('say where and why', () => {
    const row = [
      'report',
      [
        ['returned', '01hxyz456789', 1],
        ['returned', '01hxyz456789', 'one'],
      ],
    ];
    expect(() => checkWorkerMessage(row)).toThrow(
      'entries.1.attempt should be a whole number from 1 to 1000000000, but is "one"',
    );
  });
});

describe('halveWorkerMessage() and halveDispatcherMessage()', () => {
  test('split a list in two, in order, down to single entries', () => {
    const [first, second] = halveWorkerMessage({ kind: 'report', entries }) ?? [];
    const both = [first, second].flatMap((part) => (part?.kind === 'report' ? part.entries : []));
    expect(both).toEqual([...entries]);
    expect(halveWorkerMessage({ kind: 'report', entries: entries.slice(0, 1) })).toBeNull();
    expect(halveDispatcherMessage({ kind: 'assign', attempts: assignments })).toEqual([
      { kind: 'assign', attempts: assignments.slice(0, 1) },
      { kind: 'assign', attempts: assignments.slice(1) },
    ]);
    const key = { taskId: '01hxyz456789', attempt: 1 };
    for (const kind of ['recall', 'cancel', 'abandon', 'ack'] as const) {
      expect(halveDispatcherMessage({ kind, attempts: [key, key, key] })).toEqual([
        { kind, attempts: [key] },
        { kind, attempts: [key, key] },
      ]);
      expect(halveDispatcherMessage({ kind, attempts: [key] })).toBeNull();
    }
  });
});
