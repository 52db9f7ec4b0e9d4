/** The journal, what is remembered of workers, and the orders of the task list. */

import { describe, expect, test } from 'bun:test';
import { emptyHistory, sampled, sampleEveryMs, sampleOf, samplesKept } from '../../../tui/history.ts';
import {
  emptyJournal,
  entriesMax,
  entryOf,
  type Journal,
  nextLevel,
  noted,
  shownEntries,
} from '../../../tui/journal.ts';
import { newestFirst, nextSort, type Sort, sorted } from '../../../tui/sorting.ts';
import { ended, eventOf, now, taskOf, workerOf } from './samples.ts';

const nameOf = (id: string): string => `<${id}>`;

describe('the journal', () => {
  test('entryOf() says what happened, and how bad that is', () => {
    const said = (...facts: Parameters<typeof eventOf>): string => {
      const { level, text } = entryOf(eventOf(...facts), nameOf);
      return `${level} ${text}`;
    };
    expect(said({ id: 'a', worker_id: 'w' })).toBe('debug task a running on <w>');
    expect(said({ id: 'a', status: 'timed_out', detail: 'after 1 s' })).toBe('error task a timed out: after 1 s');
    expect(said({ kind: 'worker', id: 'w', status: 'offline' })).toBe('warn worker <w> offline');
    expect(said({ kind: 'dispatcher', id: 'dispatcher', status: 'paused' })).toBe('warn dispatcher holds the queue');
    const device = { kind: 'worker', id: 'd1', detail: 'phone' } as const;
    expect(said({ ...device, status: 'asking' })).toBe('warn device phone asks to join');
    expect(said({ ...device, status: 'approved' })).toBe('info device phone was let in');
    expect(entryOf(eventOf({ at: 'never' }), nameOf).at).toBeNaN();
  });

  test('shows what is bad enough and holds the word', () => {
    const entries = (['debug', 'info', 'warn', 'error'] as const).map((level) => ({
      at: now,
      level,
      text: `A ${level}`,
    }));
    const journal: Journal = noted(emptyJournal, entries);
    expect(shownEntries(journal).map(({ level }) => level)).toEqual(['info', 'warn', 'error']);
    expect(shownEntries({ ...journal, least: nextLevel('info') }).length).toBe(2);
    expect(shownEntries({ ...journal, find: 'a W' }).map(({ level }) => level)).toEqual(['warn']);
    expect([nextLevel('error'), shownEntries({ ...journal, least: 'debug' }).length]).toEqual(['debug', 4]);
  });

  test('forgets the oldest, and keeps what is in sight there', () => {
    const many = Array.from({ length: entriesMax + 5 }, (_, i) => ({ at: now, level: 'info', text: `${i}` }) as const);
    const full = noted(emptyJournal, many);
    expect([full.entries.length, full.entries[0]?.text, full.scroll]).toEqual([entriesMax, '5', 0]);
    const more = [
      { at: now, level: 'error', text: 'x'.repeat(5000) } as const,
      { at: now, level: 'debug', text: '' } as const,
    ];
    const up = noted({ ...full, scroll: 3 }, more);
    expect([up.scroll, up.entries.at(-2)?.text.length]).toEqual([4, 1000]);
  });
});

describe('the history of workers', () => {
  test('sampleOf() gives shares, and none of what is not known', () => {
    expect(sampleOf(workerOf({ temperature_c: 61 }))).toEqual({
      slots: 0.75,
      cpu: 0.3125,
      memory: 0.75,
      temperature: 0.61,
    });
    const bare = workerOf({ slots: 0, load1: null, memory_free_mb: null });
    expect(sampleOf(bare)).toEqual({ slots: 0, cpu: null, memory: null, temperature: null });
    expect(sampleOf(workerOf({ status: 'offline' })).cpu).toBeNull();
  });

  test('sampled() takes one every two seconds, keeps the last ones, and only of workers that are there', () => {
    let history = emptyHistory;
    for (let i = 0; i < samplesKept * 2; i++) {
      history = sampled(history, [workerOf({ id: 'a', slots: 100, running: i, backlog: 0 })], now + i * sampleEveryMs);
    }
    const samples = history.samples.get('a') ?? [];
    expect([samples.length, samples.at(-1)?.slots]).toEqual([samplesKept, 1]);
    const at = history.sampledAt;
    expect(sampled(history, [], at + sampleEveryMs / 2)).toBe(history);
    expect(sampled(history, [], at - sampleEveryMs).samples.size).toBe(0);
  });
});

describe('sorted()', () => {
  const tasks = [
    taskOf({ id: 'e', priority: 50, status: 'running', started_at: new Date(now - 5000).toISOString() }),
    ended('d', { duration_ms: 10, name: 'zeta', status: 'failed', exit_code: 3 }),
    ended('c', { duration_ms: 9000, worker_id: 'w-2' }),
    ended('b', { duration_ms: 10, name: 'alpha', exit_code: null, signal: 'SIGKILL' }),
    taskOf({ id: 'a', priority: -50 }),
  ];
  const order = (sort: Partial<Sort>): string => {
    const workerOfTask = ({ worker_id }: (typeof tasks)[number]): string => worker_id ?? '';
    const all = sorted(tasks, { ...newestFirst, ...sort }, { now, workerOf: workerOfTask });
    return all.map(({ id }) => id).join('');
  };

  test('orders by each key, equal ones newest first', () => {
    expect(order({})).toBe('edcba');
    expect(order({ reversed: true })).toBe('abcde');
    expect(order({ by: 'time' })).toBe('cedba');
    expect(order({ by: 'status' })).toBe('aecbd');
    expect(order({ by: 'priority' })).toBe('edcba');
    expect(order({ by: 'worker' })).toBe('cdbea');
    expect(order({ by: 'exit' })).toBe('cdbea');
    expect(order({ by: 'name' })).toBe('becad');
  });

  test('turns round all of it', () => {
    for (const by of ['time', 'status', 'worker', 'name'] as const) {
      expect(order({ by, reversed: true })).toBe([...order({ by })].reverse().join(''));
    }
  });

  test('nextSort() goes round all orders', () => {
    let sort = newestFirst;
    const seen = new Set<string>();
    do {
      seen.add(sort.by);
      sort = nextSort(sort);
    } while (sort.by !== 'age');
    expect(seen.size).toBe(7);
  });
});
