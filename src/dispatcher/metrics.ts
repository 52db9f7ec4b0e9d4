/**
 * The figures of a dispatcher under the names they have for Prometheus: read from the scheduler's state and from what was
 * counted since the start, when somebody asks. Asking changes nothing.
 *
 * Names are `octaskly_…`, in base units; counters end in `_total`. What a label can say is a closed set, or the name of a
 * known worker, and of those no more than `workersShownMax`; tasks, owners and addresses are no labels. `docs/METRICS.md`
 * has them all. https://prometheus.io/docs/practices/naming/
 */

import type { MetricFamily, Sample } from '../api/metrics.ts';
import { type SchedulerState, waitingCount } from '../core/state.ts';
import { taskStatuses } from '../core/task.ts';
import { workerStatus } from '../core/worker.ts';
import type { ProcessFigures } from '../ports/processes.ts';
import { refusalCodes } from '../wire/messages.ts';
import type { CountedBlobs } from './counted-blobs.ts';
import type { Distribution } from './distribution.ts';
import type { DeliveryCounts } from './notify/deliveries.ts';
import { attemptEnds, placementWays, type Tally } from './tally.ts';
import { workerFamilies } from './worker-metrics.ts';

type Numbers = Readonly<Record<string, number>>;

/** What there is to tell. */
export interface Measured {
  readonly version: string;
  readonly state: SchedulerState;
  readonly tally: Tally;
  /** Workers that are only on record. */
  readonly offline: number;
  readonly ready: boolean;
  /** Sleeping workers called. */
  readonly wakeCalls: number;
  readonly linksEnded: Numbers;
  readonly discovery: Numbers;
  /** Null = it sends none. */
  readonly notifications: DeliveryCounts | null;
  readonly blobs: { readonly workers: CountedBlobs; readonly clients: CountedBlobs };
  /** Bytes; null = not known. */
  readonly storeWritten: number | null;
  readonly process: ProcessFigures | null;
}

/** Ends of links that are counted from the start on, so that the first of them shows. */
const linkEnds = [
  ...(['closed', 'connection_lost', 'handshake_timeout', 'wrong_secret', 'wrong_key', 'version_mismatch'] as const),
  ...(['malformed', 'oversized', 'forged', 'stalled', 'refused'] as const),
];
/** Those of them that a frame or message brought about which no honest node sends. */
const frameErrors = ['malformed', 'oversized', 'forged'] as const;

/** Priorities by the names they can be asked for with; what lies between counts with the next lower one. */
const bands = ['low', 'normal', 'high', 'critical'] as const;

function bandOf(priority: number): (typeof bands)[number] {
  if (priority < 0) return 'low';
  if (priority < 50) return 'normal';
  return priority < 100 ? 'high' : 'critical';
}

const liveStates = ['blocked', 'queued', 'running'] as const;

function gauge(name: string, help: string, samples: number | readonly Sample[]): MetricFamily {
  return family('gauge', name, help, samples);
}

function counter(name: string, help: string, samples: number | readonly Sample[]): MetricFamily {
  return family('counter', `${name}_total`, help, samples);
}

function family(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  samples: number | readonly Sample[],
): MetricFamily {
  return {
    ...{ name: `octaskly_${name}`, type, help },
    samples: typeof samples === 'number' ? [{ value: samples }] : samples,
  };
}

function histogram(name: string, help: string, distribution: Distribution): MetricFamily {
  const { below, count, sum } = distribution.read();
  const buckets = below.map(([bound, value]): Sample => {
    return { suffix: '_bucket', labels: { le: String(bound) }, value };
  });
  const rest: Sample[] = [
    { suffix: '_bucket', labels: { le: '+Inf' }, value: count },
    { suffix: '_sum', value: sum },
    { suffix: '_count', value: count },
  ];
  return { name: `octaskly_${name}_seconds`, type: 'histogram', help, samples: [...buckets, ...rest] };
}

/** One sample for each of `keys`, 0 where there is no number. */
function each(label: string, keys: readonly string[], numbers: Numbers): Sample[] {
  return keys.map((key) => ({ labels: { [label]: key }, value: numbers[key] ?? 0 }));
}

/** Live tasks by state and priority: one walk over all of them. */
function depth({ tasks }: SchedulerState): Sample[] {
  const counts: Record<string, number> = {};
  for (const { status, spec } of tasks.values()) {
    const key = `${status} ${bandOf(spec.priority)}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return liveStates.flatMap((state) =>
    bands.map((priority) => ({ labels: { state, priority }, value: counts[`${state} ${priority}`] ?? 0 })),
  );
}

function taskFamilies({ state, tally }: Measured): MetricFamily[] {
  return [
    gauge('queue_tasks', 'Tasks that have not ended, by state and priority', depth(state)),
    gauge('queue_waiting_tasks', 'Tasks that count against the limit of the queue', waitingCount(state)),
    gauge('queue_limit_tasks', 'Most tasks that may wait (--max-queue-size)', state.policy.queueMax),
    gauge('tasks', 'Tasks on record, by state', each('state', taskStatuses, state.counts)),
    counter('tasks_submitted', 'Tasks taken in', tally.submitted),
    counter(
      'tasks_ended',
      'Tasks that ended, by their final state',
      each('state', Object.keys(tally.ended), tally.ended),
    ),
    counter(
      'placements',
      'Attempts given to workers, by the way they came there',
      each('way', placementWays, tally.placed),
    ),
    counter('recalls', 'Attempts asked back from a backlog', tally.recalled),
    counter('attempts_ended', 'Attempts that ended, by how', each('end', attemptEnds, tally.attempts)),
    counter(
      'stale_reports',
      'Reports ignored because they were of an attempt that is not the present one',
      state.staleReports,
    ),
    histogram('task_queue_wait', 'From when a task could be placed until it was', tally.queueWait),
    histogram('attempt_launch', 'From the placement of an attempt until it was seen to run', tally.launch),
    histogram('attempt_run', 'How long attempts ran, by the clocks of their workers', tally.run),
    histogram('attempt_result', 'From the word of an end until it was stored, files fetched', tally.result),
  ];
}

function clusterFamilies({ state, tally, offline, linksEnded, discovery, wakeCalls }: Measured): MetricFamily[] {
  const workers: Record<string, number> = { online: 0, draining: 0, silent: 0, offline };
  for (const worker of state.workers.values()) {
    const status = workerStatus(worker);
    workers[status] = (workers[status] ?? 0) + 1;
  }
  const ends = [...new Set([...linkEnds, ...Object.keys(linksEnded)])];
  const { interfaces, ...packets } = discovery;
  return [
    gauge('workers', 'Workers, by state', each('state', Object.keys(workers), workers)),
    gauge('workers_limit', 'Most workers with a session at once (--max-workers)', state.policy.workersMax),
    ...workerFamilies(state),
    counter(
      'sessions_ended',
      'Connections on the port for workers that ended, by reason',
      each('reason', ends, linksEnded),
    ),
    counter(
      'joins_refused',
      'Nodes that were told they may not join or stay, by reason',
      each('reason', refusalCodes, tally.joinsRefused),
    ),
    counter(
      'frame_errors',
      'Connections ended for a frame that cannot be believed',
      each('reason', frameErrors, linksEnded),
    ),
    counter('discovery_packets', 'What became of packets of mDNS', each('fate', Object.keys(packets), packets)),
    counter('wake_calls', 'Sleeping workers called by Wake-on-LAN', wakeCalls),
    gauge('discovery_interfaces', 'Network interfaces in use for mDNS', interfaces === undefined ? [] : interfaces),
  ];
}

function storageFamilies({ tally, blobs, storeWritten }: Measured): MetricFamily[] {
  const moved = Object.entries(blobs).flatMap(([partner, { bytes }]): Sample[] => [
    { labels: { direction: 'received', partner }, value: bytes.received },
    { labels: { direction: 'sent', partner }, value: bytes.sent },
  ]);
  return [
    counter('blob_bytes', 'Bytes of files that came in or went out, by partner', moved),
    histogram('store_commit', 'Transactions of the database, to stable storage', tally.commit),
    counter(
      'store_written_bytes',
      'Bytes the database has written to its log and its file',
      storeWritten === null ? [] : storeWritten,
    ),
  ];
}

function notificationFamilies(counts: DeliveryCounts | null): MetricFamily[] {
  if (counts === null) return [];
  const { pending, delivered, failed_tries, given_up, dropped } = counts;
  const ends = { delivered, given_up, dropped };
  return [
    gauge('notifications_pending', 'Notifications that wait to be delivered', pending),
    counter(
      'notifications_ended',
      'Notifications that arrived, were given up or found no room, by fate',
      each('fate', Object.keys(ends), ends),
    ),
    counter('notification_tries_failed', 'Tries to deliver a notification that failed', failed_tries),
  ];
}

/** Under the names that every program gives them. https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics */
function processFamilies(figures: ProcessFigures | null): MetricFamily[] {
  if (figures === null) return [];
  const one = (name: string, help: string, value: number | null, type: 'gauge' | 'counter' = 'gauge'): MetricFamily => {
    return { name: `process_${name}`, type, help, samples: value === null ? [] : [{ value }] };
  };
  const { cpuUserSeconds, cpuSystemSeconds } = figures;
  return [
    one('cpu_seconds_total', 'CPU time of user and system', cpuUserSeconds + cpuSystemSeconds, 'counter'),
    one('cpu_user_seconds_total', 'CPU time of the user', cpuUserSeconds, 'counter'),
    one('cpu_system_seconds_total', 'CPU time of the system', cpuSystemSeconds, 'counter'),
    one('resident_memory_bytes', 'Resident memory', figures.residentBytes),
    one('virtual_memory_bytes', 'Virtual memory', figures.virtualBytes),
    one('open_fds', 'Open file descriptors', figures.openFiles),
    one('max_fds', 'Most file descriptors that may be open', figures.openFilesMax),
    one('start_time_seconds', 'Start of the process since the Unix epoch', figures.startedAtSeconds),
  ];
}

/** Everything, in the order of `docs/METRICS.md`. */
export function metricsOf(measured: Measured): MetricFamily[] {
  const { version, state, ready, process } = measured;
  return [
    gauge('build_info', 'Always 1; the label says which version runs', [{ labels: { version }, value: 1 }]),
    gauge('ready', '1 while submissions are taken', Number(ready)),
    gauge('paused', '1 while nothing is handed out', Number(state.paused)),
    ...taskFamilies(measured),
    ...clusterFamilies(measured),
    ...storageFamilies(measured),
    ...notificationFamilies(measured.notifications),
    ...processFamilies(process),
  ];
}
