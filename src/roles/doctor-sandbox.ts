/**
 * `doctor sandbox`: tells what this machine can do as a worker, and how to get what is missing. It tries what a worker
 * tries when it starts, in a directory of its own, and changes nothing.
 */

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DoctorValues } from '../cli/options.ts';
import { renderTable } from '../cli/table.ts';
import type { HostIsolation } from '../core/host-isolation.ts';
import { type Isolation, limitNames } from '../core/isolation.ts';
import { openCgroups } from '../runtime/cgroup.ts';
import { goesWithout } from '../runtime/libc.ts';
import { createLog } from '../runtime/log.ts';
import { findTaskUser } from '../runtime/task-user.ts';
import { createWorkspace } from '../runtime/workspace.ts';
import { absolute } from './common.ts';
import { reportWidth, wrapped } from './doctor-report.ts';
import { findIsolation } from './isolation.ts';

/** What a worker started here would find. */
export async function examineSandbox(values: DoctorValues): Promise<HostIsolation> {
  const log = createLog({ level: 'error', format: 'text', file: null });
  const taskUser = findTaskUser(values.taskUser);
  const base = mkdtempSync(
    join(values.workDir === undefined ? tmpdir() : absolute(values.workDir), 'octaskly-doctor-'),
  );
  try {
    chmodSync(base, 0o711);
    const workspace = createWorkspace({ root: join(base, 'work'), shared: taskUser !== null, log });
    const { facts } = await openCgroups();
    const host = await findIsolation({ taskUser, hidden: [absolute(values.dataDir)], cgroup: facts, workspace });
    await workspace.settled();
    return host;
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

/** Who runs tasks. */
export function accounts(host: HostIsolation) {
  return { platform: host.platform, runs_as: host.accountName, task_user: host.taskUser?.name ?? null };
}

/** The report for people; no line is longer than `reportWidth()` cells. */
export function sandboxReport(host: HostIsolation, isolation: Isolation): string {
  const options = { width: reportWidth(), textWidth: (text: string) => Bun.stringWidth(text) };
  const { levels, missing } = isolation;
  const levelTable = renderTable(
    [{ title: 'LEVEL' }, { title: 'MADE BY', flexible: true }, { title: 'NETWORK' }],
    [
      ...levels.map(({ level, mechanism, network }) => [level, mechanism, networkWord(level, network)]),
      ...missing.map(({ level }) => [level, 'not here, see below', '-']),
    ],
    options,
  );
  const limitTable = renderTable(
    [
      { title: 'LIMIT' },
      ...levels.map(({ level }) => ({ title: level.toUpperCase() })),
      { title: 'BY', flexible: true },
    ],
    limitNames.map((name) => [
      name,
      ...levels.map(({ limits }) => limits[name].enforcement),
      [...new Set(levels.map(({ limits }) => limits[name].mechanism))].filter((text) => text !== '').join('; ') || '-',
    ]),
    options,
  );
  const sentences = Map.groupBy(missing, ({ reason, remedy }) => `missing: ${reason}. ${remedy}`);
  const lacks = [...sentences].map(([sentence, of]) => {
    return paragraph(`${of.map(({ level }) => level).join(' and ')} ${of.length === 1 ? 'is' : 'are'} ${sentence}`);
  });
  const own = goesWithout === null ? [] : [paragraph(goesWithout)];
  return [levelTable, limitTable, paragraph(whoRuns(host)), ...lacks, ...own].join('\n');
}

function networkWord(level: string, network: boolean): string {
  if (!network) return 'never';
  return level === 'strict' ? 'if the task asks' : 'always';
}

function whoRuns({ accountName, isRoot, taskUser }: HostIsolation): string {
  if (!isRoot) return `Tasks run as ${accountName}, like the worker, at every level.`;
  const upper =
    taskUser === null ? 'the upper levels need an account of their own' : `at strict and above as ${taskUser.name}`;
  return `Tasks run as ${accountName}, like the worker, at none and basic; ${upper}.`;
}

function paragraph(text: string): string {
  return `${wrapped(text, '', '  ')}\n`;
}
