/**
 * What happened, newest last: the dispatcher's feed of events in words, and the log of a dispatcher that runs in this
 * process. Pure and bounded: what is older than `entriesMax` entries is forgotten.
 */

import type { FeedEvent } from '../src/api/schemas.ts';

export const entriesMax = 2000;
/** Characters kept of an entry. */
const textLengthMax = 1000;

const levels = ['debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof levels)[number];

export interface Entry {
  /** Ms since 1970. */
  readonly at: number;
  readonly level: Level;
  /** As it came: not harmless yet. */
  readonly text: string;
  /** Id of the worker that is named in it. */
  readonly about?: string;
}

export interface Journal {
  readonly entries: readonly Entry[];
  /** Only entries of this level and above are shown. */
  readonly least: Level;
  /** Only entries that hold this text are shown, in whatever case. */
  readonly find: string;
  /** Shown entries below the last one in sight: 0 follows the end. */
  readonly scroll: number;
}

export const emptyJournal: Journal = { entries: [], least: 'info', find: '', scroll: 0 };

const taskLevels: Readonly<Record<string, Level>> = {
  ...{ blocked: 'debug', queued: 'debug', running: 'debug', completed: 'info', cancelled: 'info' },
  ...{ failed: 'error', timed_out: 'error' },
};
const otherLevels: Readonly<Record<string, Level>> = {
  ...{ silent: 'warn', offline: 'warn', paused: 'warn', closing: 'warn', asking: 'warn', rejected: 'warn' },
};
/** What became of a device that is no worker yet; its name is the event's detail. */
const deviceWords: Readonly<Record<string, string>> = {
  ...{ asking: 'asks to join', approved: 'was let in', rejected: 'was turned away' },
};
const queueWords: Readonly<Record<string, string>> = { paused: 'holds the queue', running: 'hands out tasks again' };

/** An event in words. `nameOf` gives a worker's name by its id. */
export function entryOf(event: FeedEvent, nameOf: (workerId: string) => string): Entry {
  const { kind, id, status, worker_id: worker, detail } = event;
  const what = status.replace('_', ' ');
  const why = detail === null || detail === '' ? '' : `: ${detail}`;
  const at = Date.parse(event.at);
  if (kind === 'task') {
    const where = worker === null ? '' : ` on ${nameOf(worker)}`;
    const about = worker === null ? {} : { about: worker };
    return { at, level: taskLevels[status] ?? 'info', text: `task ${id} ${what}${where}${why}`, ...about };
  }
  const level = otherLevels[status] ?? 'info';
  if (kind === 'dispatcher') return { at, level, text: `dispatcher ${queueWords[status] ?? what}${why}` };
  const device = deviceWords[status];
  if (device !== undefined) return { at, level, text: `device ${detail ?? id} ${device}` };
  return { at, level, text: `worker ${nameOf(id)} ${what}${why}`, about: id };
}

/** The entries that are shown. */
export function shownEntries({ entries, least, find }: Journal): readonly Entry[] {
  const from = levels.indexOf(least);
  const word = find.toLowerCase();
  if (from === 0 && word === '') return entries;
  return entries.filter(
    ({ level, text }) => levels.indexOf(level) >= from && (word === '' || text.toLowerCase().includes(word)),
  );
}

/** `journal` with more entries at its end. Who scrolled up goes on seeing the same ones. */
export function noted(journal: Journal, more: readonly Entry[]): Journal {
  if (more.length === 0) return journal;
  const added = more.slice(-entriesMax).map((entry) => ({ ...entry, text: entry.text.slice(0, textLengthMax) }));
  const entries = [...journal.entries, ...added].slice(-entriesMax);
  const below = journal.scroll === 0 ? 0 : journal.scroll + shownEntries({ ...journal, entries: added }).length;
  return { ...journal, entries, scroll: below };
}

/** `journal` with the names of workers that were known by their ids alone until now. */
export function renamed(journal: Journal, joined: readonly { readonly id: string; readonly name: string }[]): Journal {
  if (joined.length === 0 || journal.entries.length === 0) return journal;
  const names = new Map(joined.map(({ id, name }) => [id, name]));
  const entries = journal.entries.map((entry): Entry => {
    const { about } = entry;
    const name = about === undefined ? undefined : names.get(about);
    if (about === undefined || name === undefined) return entry;
    return { ...entry, text: entry.text.replace(about, () => name) };
  });
  return { ...journal, entries };
}

/** The next level in the round. */
export function nextLevel(level: Level): Level {
  return levels[(levels.indexOf(level) + 1) % levels.length] ?? 'info';
}
