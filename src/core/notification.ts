/**
 * What people and programs are told of, as data: the events, whom to tell, and the notice itself, which is the JSON body of
 * a webhook (`snake_case` inside, as in the API). Delivering is `dispatcher/notify/`.
 */

/** How a task can end, as an event. */
export const taskEvents = ['task_completed', 'task_failed', 'task_timed_out', 'task_cancelled'] as const;
export type TaskEvent = (typeof taskEvents)[number];

/** What the dispatcher tells the destinations of its `--notify` of. */
export const clusterEvents = [...taskEvents, 'batch_ended', 'worker_lost', 'worker_pending'] as const;
export type ClusterEvent = (typeof clusterEvents)[number];

/** What the dispatcher tells of unless it is told otherwise. */
export const clusterEventsDefault = [
  'task_failed',
  'task_timed_out',
  'batch_ended',
  'worker_lost',
  'worker_pending',
] as const;

/** What somebody asks to be sent, with a text of their own. */
export const askedEvents = ['message', 'map_ended', 'test'] as const;
export type AskedEvent = (typeof askedEvents)[number];

export type NotifyEvent = ClusterEvent | AskedEvent;

/** Whom a task tells of its end. */
export interface NotifyTarget {
  /** As `destinationText` writes it. */
  readonly to: string;
  /** Only of these ends; null = of any. */
  readonly on: readonly TaskEvent[] | null;
}

/** Destinations that one task or batch may name. */
export const targetsMax = 8;
/** Characters of a text that somebody asks to be sent. */
export const noticeTextMax = 1000;

export interface TaskNotice {
  readonly id: string;
  readonly name: string | null;
  /** The beginning of its command. */
  readonly command: string;
  readonly status: string;
  readonly reason: string | null;
  readonly exit_code: number | null;
  readonly signal: string | null;
  readonly attempt: number;
  readonly worker: string | null;
  readonly batch_id: string | null;
  readonly owner: string | null;
  readonly duration_ms: number | null;
}

export interface BatchNotice {
  readonly id: string;
  readonly name: string | null;
  readonly owner: string | null;
  readonly size: number;
  readonly completed: number;
  readonly failed: number;
  readonly timed_out: number;
  readonly cancelled: number;
}

export interface WorkerNotice {
  /** Of a device that waits to be let in: the id of its request. */
  readonly id: string;
  readonly name: string;
  readonly address: string | null;
  readonly detail: string | null;
}

/** One thing to tell. Texts in it may come from strangers: whoever shows them escapes them. */
export interface Notice {
  readonly event: NotifyEvent;
  /** Of this delivery: the same in each try at it, and of no other. */
  readonly id: string;
  /** When it happened, ISO 8601. */
  readonly at: string;
  /** Id of the cluster. */
  readonly cluster: string;
  /** One line for people, without control characters. */
  readonly text: string;
  readonly task?: TaskNotice;
  readonly batch?: BatchNotice;
  readonly worker?: WorkerNotice;
  /** Who asked for it to be sent: the subject of a token. */
  readonly sender?: string;
}

/** A notice on its way, as it is stored until it arrived. Times are wall-clock ms. */
export interface DeliveryRecord {
  readonly id: string;
  /** As `destinationText` writes it. */
  readonly destination: string;
  readonly createdAt: number;
  readonly notice: Notice;
  /** Tries made so far. */
  readonly tries: number;
  /** Not before. */
  readonly nextAt: number;
}
