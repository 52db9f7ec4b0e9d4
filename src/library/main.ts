/**
 * The npm package `octaskly`: the names it gives to programs. The one file that gathers names of others, since a package has
 * one door. Everything inside the project imports from where the names are at home.
 */

export type { OutputFiles } from '../api/file-schemas.ts';
export type {
  AttemptView,
  BatchView,
  Explanation,
  FeedEvent,
  Stats,
  TaskRequest,
  TaskView,
  TaskWithAttempts,
  WorkerView,
} from '../api/schemas.ts';
export { type ErrorCode, type FieldError, OctasklyError } from '../base/errors.ts';
export { type Client, type ClientOptions, createClient, type SubmitOptions } from '../client/client.ts';
export type { FeedItem } from '../client/events.ts';
export type { BatchHandle } from './batch.ts';
export type { ByteStream, ReadOptions } from './bytes.ts';
export type { TaskFile } from './files.ts';
export type { Content, Input, Inputs } from './inputs.ts';
export type { MapOptions, MapResult } from './map.ts';
export { type MapInput, type MapMaker, Octaskly, type OctasklyOptions } from './octaskly.ts';
export { TaskFailed, type TaskOutput } from './output.ts';
export type { Command, TaskOptions, TaskPlan } from './request.ts';
export type { OutputPiece, TaskFiles, TaskHandle } from './task.ts';
