/** What people ask for: devices, and tasks in every shape the product offers, drawn from dice. */

import type { NewTask } from '../../src/api/backend.ts';
import type { TaskFile } from '../../src/core/files.ts';
import { noDemand, unknownIsolation } from '../../src/core/isolation.ts';
import { noRequirement, type Requirement, type StdinSpec } from '../../src/core/task.ts';
import type { WorkerDeclaration } from '../../src/core/worker.ts';
import { blobOf } from '../memory-blobs.ts';
import type { Dice } from './dice.ts';
import type { Order } from './people.ts';
import { type Program, writtenBytes } from './processes.ts';

const rooms = ['attic', 'cellar'];
/** `peering`: chance of it to take peers. */
export function newDeclaration(dice: Dice, index: number, peering: number): Omit<WorkerDeclaration, 'processId'> {
  return {
    id: `w${index}`,
    name: dice.chance(0.3) ? 'pi' : `pi-${index}`,
    version: '0',
    slots: dice.whole(1, 4),
    cpuCores: dice.whole(1, 8),
    memoryMb: dice.pick([512, 1024, 4096]),
    gpu: dice.pick([0, 0, 0, 1, 2]),
    labels: dice.chance(0.5) ? { room: dice.pick(rooms) } : {},
    platform: 'linux',
    arch: dice.pick(['x64', 'arm64']),
    isolation: unknownIsolation,
    peerPort: dice.chance(peering) ? 1 : null,
    program: null,
  };
}

/** How long tasks run and what they write, on the whole: each world has its own. */
export interface Taste {
  readonly runsMsMax: number;
  /**
   * Share of tasks that take a few ms while all others take long: where most do, much is sent ahead, and waits when one
   * takes long after all. Null = they are of every length.
   */
  readonly brief: number | null;
  readonly outputBytesMax: number;
  readonly batchMax: number;
  /** What tasks ask for. */
  readonly requirements: readonly Requirement[];
  readonly streaming: number;
  /** Share of tasks that bring down their worker. */
  readonly deadly: number;
  /** Share of tasks with files. */
  readonly filing: number;
  /** What files given to tasks hold. */
  readonly contents: readonly Uint8Array[];
}

/** A file in which tasks are given something that nobody has. */
const lacking = `sha256:${'0'.repeat(64)}`;
const fileBytes = [0, 7, 900, 9000, 60_000] as const;

export function newTaste(dice: Dice): Taste {
  return {
    runsMsMax: dice.pick([20, 500, 5000, 20_000, 60_000]),
    brief: null,
    outputBytesMax: dice.pick([0, 300, 20_000, 100_000]),
    batchMax: dice.pick([3, 10, 25]),
    requirements: [
      noRequirement,
      noRequirement,
      ...Array.from({ length: dice.pick([0, 0, 1, 4]) }, () => newRequirement(dice)),
    ],
    streaming: dice.pick([0, 0.1]),
    deadly: dice.pick([0, 0, 0.03]),
    filing: dice.pick([0, 0.2, 0.7]),
    contents: Array.from({ length: dice.whole(1, 8) }, (_, n) => {
      return writtenBytes(`input ${n}`, 'stdout', 0, dice.pick(fileBytes));
    }),
  };
}

/** Of a world in which much waits: many short tasks, a few that take long, hardly anything that ties them down. */
export function busyTaste(dice: Dice, taste: Taste): Taste {
  return {
    ...taste,
    runsMsMax: 10_000,
    brief: dice.pick([0.7, 0.9]),
    batchMax: 25,
    deadly: 0,
    filing: 0,
    streaming: 0,
  };
}

/** A single task or a batch; `known` are ids of tasks it may wait for. */
export function newOrder(dice: Dice, taste: Taste, known: readonly string[]): Order {
  if (dice.chance(0.6))
    return { tasks: [newTask(dice, taste, { name: null, dependsOn: some(dice, known) })], batch: false };
  const count = dice.whole(1, taste.batchMax);
  const tasks: NewTask[] = [];
  for (let i = 0; i < count; i++) {
    const earlier = tasks.map((task) => task.name ?? '');
    const dependsOn = dice.chance(0.5) ? some(dice, earlier) : some(dice, known);
    tasks.push(newTask(dice, taste, { name: `step${i}`, dependsOn }));
  }
  return { tasks: dice.chance(0.5) ? tasks : tasks.reverse(), batch: true };
}

/** Many tasks at once that wait for nothing. */
export function newFlood(dice: Dice, taste: Taste): Order {
  const count = dice.whole(10, taste.batchMax);
  const tasks = Array.from({ length: count }, () => newTask(dice, taste, { name: null, dependsOn: [] }));
  return { tasks, batch: true };
}

function some(dice: Dice, names: readonly string[]): string[] {
  if (names.length === 0 || dice.chance(0.7)) return [];
  const picked = Array.from({ length: dice.whole(1, 3) }, () => dice.pick(names.slice(-10)));
  return [...new Set(picked)];
}

function newTask(dice: Dice, taste: Taste, { name, dependsOn }: { name: string | null; dependsOn: string[] }): NewTask {
  const stdin: StdinSpec = dice.chance(taste.streaming)
    ? { kind: 'stream' }
    : dice.pick<StdinSpec>([{ kind: 'closed' }, { kind: 'text', text: 'input' }]);
  const inputs = dice.chance(taste.filing) ? newInputs(dice, taste) : [];
  const writes = dice.chance(taste.filing) ? newWrites(dice) : [];
  return {
    command: JSON.stringify({ ...newProgram(dice, taste), reads: inputs, writes }),
    argv: null,
    name,
    priority: dice.pick([0, 0, 0, -50, 50, 100, dice.whole(-100, 100)]),
    timeoutMs: stdin.kind === 'stream' ? 20_000 : dice.pick([3_600_000, 60_000, dice.whole(50, 5000)]),
    retryCount: dice.pick([0, 0, 1, 3]),
    retryDelayMs: dice.pick([0, 100, 2000]),
    env: {},
    workdir: null,
    stdin,
    inputs,
    outputs: writes.length === 0 ? [] : ['out/*'],
    outputsAt: 'dispatcher',
    maxOutputBytes: dice.chance(0.2) ? dice.whole(0, 2000) : 10_000_000,
    requires: dice.pick(taste.requirements),
    dependsOn,
    onDependencyFailure: dice.pick(['cancel', 'run']),
    tags: {},
  };
}

function newInputs(dice: Dice, { contents }: Taste): TaskFile[] {
  return Array.from({ length: dice.whole(1, 4) }, (_, n) => {
    const content = dice.pick(contents);
    const blob = dice.chance(0.02) ? lacking : blobOf(content);
    return { path: `in/${n}`, blob, bytes: content.length, executable: false };
  });
}

function newWrites(dice: Dice): Program['writes'] {
  return Array.from({ length: dice.whole(1, 4) }, (_, n) => ({ path: `out/${n}`, bytes: dice.pick(fileBytes) }));
}

/** What people hand to a worker directly: something without files and without input. */
export function newHanded(dice: Dice, taste: Taste): { readonly program: Program; readonly requires: Requirement } {
  const simple = { failsFirst: 0, unstartable: 0, killsWorkers: 0, readsBytes: 0, reads: [], writes: [] };
  return { program: { ...newProgram(dice, taste), ...simple }, requires: dice.pick(taste.requirements) };
}

function newProgram(dice: Dice, taste: Taste): Omit<Program, 'reads' | 'writes'> {
  const bytes = (): number => (dice.chance(0.5) ? 0 : dice.whole(0, taste.outputBytesMax));
  return {
    runsMs: newDuration(dice, taste),
    exitCode: dice.pick([0, 0, 0, 0, 7]),
    failsFirst: dice.chance(0.15) ? dice.whole(1, 3) : 0,
    unstartable: dice.chance(0.05) ? dice.whole(1, 3) : 0,
    killsWorkers: dice.chance(taste.deadly) ? dice.pick([1, 3, 40]) : 0,
    stdoutBytes: bytes(),
    stderrBytes: bytes(),
    chunks: dice.whole(1, 6),
    ignoresTerm: dice.chance(0.2),
    readsBytes: dice.pick([0, 500, 100_000]),
  };
}

/** Any length, short ones as likely as long ones; or either a few ms or long. */
function newDuration(dice: Dice, { runsMsMax, brief }: Taste): number {
  if (brief === null) return Math.floor(runsMsMax ** dice.roll());
  return dice.chance(brief) ? dice.whole(1, 5) : dice.whole(runsMsMax / 10, runsMsMax);
}

function newRequirement(dice: Dice): Requirement {
  const labels = { room: dice.pick(rooms) };
  if (dice.chance(0.3)) return { ...noRequirement, labels };
  return {
    cpuCores: dice.pick([0, 0.3, 1, 2, 4, 16]),
    memoryMb: dice.pick([0, 0, 100, 800, 3000]),
    gpu: dice.pick([0, 0, 0, 0, 1]),
    labels: dice.chance(0.3) ? labels : {},
    platform: dice.pick([null, 'linux']),
    arch: dice.pick([null, null, 'x64', 'arm64']),
    isolation: noDemand,
  };
}
