/** What is reported of attempts that never started here. */

import type { AttemptKey, ReportEntry } from '../core/attempt.ts';
import type { AttemptUsage } from '../core/task.ts';

/** The end of an attempt that was cancelled at `at` (wall ms) while it waited. */
export function cancelledUnstarted({ taskId, attempt }: AttemptKey, at: number): ReportEntry {
  const nothing = new Uint8Array(0);
  return {
    kind: 'ended',
    taskId,
    attempt,
    startedAt: at,
    outcome: { kind: 'cancelled' },
    usage: noUsage,
    stdout: nothing,
    stderr: nothing,
    outputs: [],
    outputProblems: [],
  };
}

const noUsage: AttemptUsage = {
  durationMs: 0,
  cpuMs: null,
  memoryPeakBytes: null,
  stdoutBytes: 0,
  stderrBytes: 0,
  discardedBytes: 0,
  writtenBytes: null,
  sandboxLevel: null,
};
