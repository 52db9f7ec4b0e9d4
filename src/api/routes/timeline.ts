/** The route of the time line: which attempt ran on which worker, from when to when. */

import { z } from 'zod';
import { scopeOf } from '../../core/trust.ts';
import type { EndedAttempt, TaskRow } from '../../ports/store.ts';
import { attemptViewOf, isoTime } from '../convert.ts';
import { json, noParams, type Route, route } from '../route.ts';
import { type Span, timelineSchema } from '../timeline-schemas.ts';
import { integerOf, workerNamesOf } from './common.ts';

/** Most attempts in one answer, and how many there are when nobody says. */
const spansMax = 5000;
const spansDefault = 2000;
/** Characters of a command that stand for a name. */
const nameLengthMax = 80;

function nameOf(name: string | null, command: string | null): string {
  return (name ?? command ?? '').slice(0, nameLengthMax);
}

/** What ran; an attempt that never started has no place on the line. */
function endedSpan({ record, name, command }: EndedAttempt): Span[] {
  const { worker_id, attempt, outcome, started_at, duration_ms } = attemptViewOf(record);
  if (started_at === null) return [];
  const { kind, exit_code } = outcome;
  // Instants are those of reports, which arrive some time later; how long it took, the worker measured.
  const ended_at = isoTime(
    Math.min(record.endedAt, Date.parse(started_at) + (duration_ms ?? Number.POSITIVE_INFINITY)),
  );
  return [
    {
      ...{ task_id: record.taskId, attempt, name: nameOf(name, command), worker_id },
      ...{ outcome: kind, exit_code, started_at, ended_at },
    },
  ];
}

function runningSpan({ task }: TaskRow): Span[] {
  const { id, attempt, workerId, startedAt, spec } = task;
  if (workerId === null || startedAt === null) return [];
  return [
    {
      ...{ task_id: id, attempt, name: nameOf(spec.name, spec.command ?? spec.argv?.join(' ') ?? null) },
      ...{ worker_id: workerId, outcome: null, exit_code: null, started_at: isoTime(startedAt), ended_at: null },
    },
  ];
}

const showTimeline = route({
  name: 'showTimeline',
  method: 'GET',
  path: '/api/v1/timeline',
  access: 'tasks',
  summary: 'Show which attempt ran on which worker, from when to when',
  description: 'What runs, and the attempts of tasks that ended since an instant; the last ones first.',
  params: noParams,
  query: z.strictObject({
    since: z.iso.datetime({ offset: true }).describe('Of tasks that ended at or after this instant'),
    limit: integerOf(1, spansMax).default(spansDefault).describe('Most attempts in the answer'),
  }),
  body: null,
  answers: { 200: { description: 'The attempts', schema: timelineSchema } },
  problems: [],
  handle({ query: { since, limit }, actor }, { backend }) {
    const scope = scopeOf(actor);
    const owner = scope === null ? {} : { owner: scope };
    const running = backend.tasks({ statuses: ['running'], ...owner }, { limit, before: null });
    const ended = backend.endedAttempts({ since: Date.parse(since), ...owner }, limit);
    const all = [...running.flatMap(runningSpan), ...ended.flatMap(endedSpan)];
    const spans = all.slice(0, limit);
    const names = workerNamesOf(
      backend,
      spans.map(({ worker_id }) => worker_id),
    );
    return json(200, { spans, complete: ended.length < limit && all.length <= limit, worker_names: names });
  },
});

export const timelineRoutes: readonly Route[] = [showTimeline];
