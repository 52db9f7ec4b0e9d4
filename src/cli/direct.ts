/**
 * `run --p2p`: from the flags of `run` to a task for a worker that is asked directly. What only a dispatcher can do is
 * refused with a sentence; how a worker is found and asked is the role's part.
 */

import { limits } from '../api/limits.ts';
import { type IsolationDemand, noDemand } from '../core/isolation.ts';
import { priorities } from '../core/task.ts';
import type { runOptions } from './client-options.ts';
import type { DirectAction } from './command.ts';
import type { PeerTask } from './context.ts';
import { ring } from './notify.ts';
import type { Values } from './option.ts';
import { usage } from './parse.ts';
import { commandOfWords } from './request.ts';
import { ttyWanted } from './terminal-session.ts';

type RunValues = Values<typeof runOptions>;

/** What a dispatcher takes when nothing is said. */
const timeoutMsDefault = 3_600_000;

/** Runs the command on a peer, when `--p2p` asks for it. Errors: `usage` for what needs a dispatcher. */
export const runDirectly: DirectAction<typeof runOptions> = async ({ roles, terminal }, values, words) => {
  if (!values.p2p) return null;
  if (!values.discovery) {
    throw usage(
      'With --discovery false (or OCTASKLY_DISCOVERY=false) no peer is looked for; leave it out, or leave out --p2p.',
    );
  }
  for (const [flag, given] of dispatchersOnly(values)) {
    if (given) throw usage(`${flag} needs a dispatcher; leave it out, or leave out --p2p.`);
  }
  const { stdin } = terminal;
  const hasStdin = values.stdin && !stdin.isTTY && !stdin.isEmpty;
  const { dataDir, discoveryPort, interfaces } = values;
  const spec = { ...specOf(values, commandOfWords(words)), stdin: { kind: hasStdin ? 'stream' : 'closed' } } as const;
  const status = await roles.runOnPeer({ spec, terminal, dataDir, discoveryPort, interfaces });
  if (values.notify !== undefined) await ring({ terminal }, `Task on a peer ended with status ${status}`);
  return status;
};

function dispatchersOnly(values: RunValues): readonly (readonly [flag: string, given: boolean])[] {
  return [
    ['--in', values.inputs.length > 0],
    ['--out', values.outputs.length > 0],
    ['--outputs-at worker', values.outputsAt === 'worker'],
    ['--after', values.after.length > 0],
    ['--tag', values.tag.length > 0],
    ['-t (a terminal)', ttyWanted(values.tty) > 0],
    ['--notify URL', values.notify !== undefined && values.notify.url !== null],
    ['--retries', (values.retries ?? 0) > 0],
  ];
}

function specOf(values: RunValues, command: string): Omit<PeerTask['spec'], 'stdin'> {
  const { cpus = 0, memoryMb = 0, gpus = 0, label, env, name, priority = 'normal' } = values;
  return {
    ...{
      command,
      argv: null,
      name: name ?? null,
      priority: typeof priority === 'number' ? priority : priorities[priority],
      workdir: values.workdir ?? null,
    },
    ...{ timeoutMs: values.timeoutMs ?? timeoutMsDefault, env: Object.fromEntries(env), inputs: [], outputs: [] },
    outputsAt: 'dispatcher',
    // What goes beyond is lost: as much as can be is kept.
    maxOutputBytes: values.maxOutputBytes ?? limits.outputBytesMax,
    requires: {
      ...{ cpuCores: cpus, memoryMb, gpu: gpus, labels: Object.fromEntries(label), platform: null, arch: null },
      isolation: demandOf(values),
    },
  };
}

function demandOf(values: RunValues): IsolationDemand {
  return {
    level: values.sandbox ?? noDemand.level,
    network: values.network,
    limits: {
      cpuTimeMs: values.cpuTimeMs ?? null,
      memoryMb: values.memoryLimitMb ?? null,
      diskMb: values.diskLimitMb ?? null,
      openFiles: values.openFilesMax ?? null,
      processes: values.processesMax ?? null,
    },
  };
}
