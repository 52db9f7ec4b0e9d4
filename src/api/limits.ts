/**
 * The bounds of the REST API: what one request may hold. `schemas` enforces them; clients that cut their input into
 * requests need the numbers without the validators.
 */

export const limits = {
  /** Tasks in one `POST /batches`. */
  batchTasksMax: 10_000,
  /** Rows in one page. */
  pageMax: 1000,
  pageDefault: 100,
  /** Characters of what is searched for in a list. */
  searchLengthMax: 200,
  /** Bytes of a request body. */
  bodyBytesMax: 32 * 1024 * 1024,
  /** Characters of a command. */
  commandLengthMax: 131_072,
  /** Most argv elements, environment variables, dependencies. */
  listMax: 1024,
  stdinLengthMax: 1024 * 1024,
  /** Characters of command, arguments, environment and stdin together: far below what one message to a worker holds. */
  taskLengthMax: 2 * 1024 * 1024,
  /** Batches and tasks in one `POST /attended`, and how long nobody need say so again, at most. */
  attendedMax: 1000,
  awaySecondsMax: 24 * 3600,
  /** Tasks in one `POST /tasks/cancel`. */
  cancelMax: 1000,
  /** Bytes in one `POST /tasks/{id}/stdin`. */
  stdinChunkBytesMax: 64 * 1024,
  /** Characters of the paths of inputs and patterns of outputs of one task together: they too go in one message. */
  filesLengthMax: 2 * 1024 * 1024,
  /** Bytes of one blob. */
  blobBytesMax: 2 ** 40,
  /** Blobs in one `POST /blobs/missing`. */
  missingBlobsMax: 10_000,
  memoryMbMax: 1_048_576,
  /** 1 PiB. */
  diskMbMax: 2 ** 30,
  cpuSecondsMax: 365 * 24 * 3600,
  openFilesMin: 16,
  openFilesMax: 1_048_576,
  processesMax: 1_048_576,
  /** Lines of a worker's log in one answer: not more than one message holds. */
  logLinesMax: 1000,
  logLinesDefault: 200,
  timeoutSecondsMax: 30 * 24 * 3600,
  outputBytesDefault: 10_000_000,
  /** 1 GiB. */
  outputBytesMax: 2 ** 30,
} as const;
