/**
 * What an init system says of a service, understood. Its answer is text of a tool, in any version: whatever is not
 * recognised is `unknown`, never an error.
 */

import type { InitName } from './definition.ts';

export type ServiceCondition = 'running' | 'starting' | 'stopping' | 'stopped' | 'failed' | 'unknown';

export interface ServiceState {
  readonly condition: ServiceCondition;
  /** Of the main process; null when there is none, or the tool does not say. */
  readonly pid: number | null;
  /** Since when it is so, ms since 1970; null where the tool does not say. */
  readonly sinceMs: number | null;
  /** Starts at boot or logon; null where the tool does not say. */
  readonly enabled: boolean | null;
  /** How often it was started again by itself. */
  readonly restarts: number | null;
  /** Of the last end; null where there was none, or the tool does not say. */
  readonly exitStatus: number | null;
}

const nothing: ServiceState = {
  condition: 'unknown',
  pid: null,
  sinceMs: null,
  enabled: null,
  restarts: null,
  exitStatus: null,
};

/** `answer`: what the query of the plan wrote, and its exit status. */
export function stateFrom(
  init: InitName,
  answer: { readonly status: number | null; readonly text: string },
): ServiceState {
  switch (init) {
    case 'systemd':
      return ofSystemd(answer.text);
    case 'openrc':
      return { ...nothing, condition: ofOpenrc(answer.status) };
    case 'launchd':
      return ofLaunchd(answer);
    case 'task':
      return ofTask(answer);
    case 'termux':
      return ofPid(answer);
  }
}

function countOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

const conditions: Readonly<Record<string, ServiceCondition>> = {
  active: 'running',
  reloading: 'running',
  activating: 'starting',
  deactivating: 'stopping',
  inactive: 'stopped',
  failed: 'failed',
};

/** `Name=value` lines of systemctl show; times as `Sat 2026-11-21 17:10:39 UTC`, asked for in that zone. */
function ofSystemd(text: string): ServiceState {
  const fields = new Map([...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]));
  const found = conditions[fields.get('ActiveState') ?? ''] ?? 'unknown';
  // Between two tries it is "activating", which it may stay for ever.
  const condition = fields.get('SubState') === 'auto-restart' ? 'failed' : found;
  const at = (name: string): number | null => {
    const [, day, time] = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/.exec(fields.get(name) ?? '') ?? [];
    return day === undefined ? null : Date.parse(`${day}T${time}Z`);
  };
  const pid = countOf(fields.get('MainPID'));
  return {
    condition,
    pid: pid === 0 ? null : pid,
    sinceMs: at(condition === 'running' ? 'ActiveEnterTimestamp' : 'InactiveEnterTimestamp'),
    enabled: fields.has('UnitFileState') ? /^enabled/.test(fields.get('UnitFileState') ?? '') : null,
    restarts: countOf(fields.get('NRestarts')),
    exitStatus: condition === 'running' ? null : countOf(fields.get('ExecMainStatus')),
  };
}

/** Exit statuses of `rc-service NAME status`. */
function ofOpenrc(status: number | null): ServiceCondition {
  const known: Readonly<Record<number, ServiceCondition>> = {
    0: 'running',
    3: 'stopped',
    4: 'stopping',
    8: 'starting',
    32: 'failed',
  };
  return status === null ? 'unknown' : (known[status] ?? 'unknown');
}

function ofLaunchd({ status, text }: { readonly status: number | null; readonly text: string }): ServiceState {
  if (status !== 0) return { ...nothing, condition: 'stopped' };
  const pid = countOf(/^\s*pid = (\d+)$/m.exec(text)?.[1]);
  const exitStatus = countOf(/^\s*last exit code = (\d+)/m.exec(text)?.[1]);
  if (pid !== null) return { ...nothing, condition: 'running', pid, enabled: true };
  return { ...nothing, condition: (exitStatus ?? 0) === 0 ? 'stopped' : 'failed', enabled: true, exitStatus };
}

/** SCHED_S_TASK_RUNNING, among the columns whatever language their titles are in. */
const taskRuns = '267009';

function ofTask({ status, text }: { readonly status: number | null; readonly text: string }): ServiceState {
  if (status !== 0) return { ...nothing, condition: 'stopped' };
  const fields = text.split(/","|\r?\n/).map((field) => field.replace(/^"|"$/g, ''));
  return { ...nothing, condition: fields.includes(taskRuns) ? 'running' : 'stopped', enabled: true };
}

function ofPid({ status, text }: { readonly status: number | null; readonly text: string }): ServiceState {
  const pid = countOf(/^pid (\d+)$/m.exec(text)?.[1]);
  return status === 0 && pid !== null
    ? { ...nothing, condition: 'running', pid, enabled: true }
    : { ...nothing, condition: 'stopped' };
}
