/** One world from one seed, from its beginning to its end. */

import { Askers } from './askers.ts';
import { Broken } from './broken.ts';
import { Checks } from './checks.ts';
import { Dice } from './dice.ts';
import type { Exchanged } from './ledger.ts';
import { busyTaste, newDeclaration, newTaste } from './orders.ts';
import { People } from './people.ts';
import { Scenario } from './scenario.ts';
import { World } from './world.ts';

export interface Report {
  readonly seed: number;
  /** Hash of the whole log. */
  readonly digest: string;
  readonly lines: number;
  readonly tasks: number;
  readonly attempts: number;
  /** Work that changed hands. */
  readonly exchanged: Exchanged;
  /** Simulated time, ms. */
  readonly lastedMs: number;
  /** What went wrong, null when nothing did. */
  readonly failure: string | null;
  /** The end of the log. */
  readonly tail: readonly string[];
}

/** Share of worlds in which most of what goes on is work that changes hands. */
const exchanges = 0.4;
/** Quiet time in which everything has to settle. */
const patienceMs = 3 * 3_600_000;
/** Time after that for the last acknowledgements and farewells. */
const epilogueMs = 100_000;
const stepsMax = 5_000_000;

/** Runs the world of `seed`; `print` takes each line of its log. */
export function simulate(seed: number, print: ((line: string) => void) | null = null): Report {
  const dice = new Dice(seed);
  const isExchange = dice.chance(exchanges);
  const world = newWorld(dice, isExchange, print);
  const people = new People(world, dice.fork());
  const askers = new Askers(world, dice.fork());
  const checks = new Checks(world, people, askers);
  const ways = { dice: dice.fork(), taste: isExchange ? busyTaste(dice, newTaste(dice)) : newTaste(dice), isExchange };
  const scenario = new Scenario({ world, people, askers, checks, ...ways });
  world.watcher = scenario;
  let failure: string | null = null;
  try {
    scenario.begin();
    while (world.timeline.now < scenario.quietFrom) runSecond(world, checks, { quiet: false });
    runToTheEnd(world, checks);
  } catch (error) {
    failure =
      error instanceof Broken ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  const { journal, traces, timeline } = world;
  return {
    seed,
    digest: journal.digest,
    lines: journal.lines,
    tasks: people.promised.size,
    attempts: traces.byAttempt.size,
    exchanged: world.ledger.counts,
    lastedMs: timeline.now,
    failure,
    tail: journal.tail,
  };
}

function newWorld(dice: Dice, isExchange: boolean, print: ((line: string) => void) | null): World {
  const count = dice.whole(isExchange ? 2 : 1, 6);
  const peering = dice.pick([0, 1, 1, 0.7]);
  const world = new World({
    dice: dice.fork(),
    policy: {
      workersMax: dice.chance(0.15) ? dice.whole(1, 3) : 10,
      queueMax: dice.chance(0.2) ? dice.whole(5, 60) : 10_000,
      silenceMs: dice.pick([3000, 10_000, 60_000]),
    },
    weather: {
      latencyMs: dice.pick([
        [0.1, 0.5],
        [0.5, 5],
        [5, 200],
      ] as const),
      bytesPerMs: dice.pick([200, 5000, 100_000]),
      duplicates: dice.pick([0, 0, 0.01, 0.1]),
      failedDials: dice.pick([0, 0.2]),
    },
    declarations: Array.from({ length: count }, (_, index) => {
      const declaration = newDeclaration(dice, index, peering);
      return isExchange ? { ...declaration, slots: dice.whole(1, 2) } : declaration;
    }),
    print,
  });
  world.peersAllowed = !dice.chance(0.1);
  world.failedDirs = dice.pick([0, 0, 0.05]);
  Object.assign(world.disk.mood, {
    failedCommits: dice.pick([0, 0, 0.003, 0.02]),
    commitMs: dice.pick([
      [0, 0],
      [0, 2],
      [1, 40],
      [0, 300],
    ] as const),
  });
  return world;
}

function runToTheEnd(world: World, checks: Checks): void {
  const { timeline } = world;
  const giveUpAt = timeline.now + patienceMs;
  while (!checks.isSettled && timeline.now < giveUpAt) {
    runSecond(world, checks, { quiet: true });
  }
  const end = timeline.now + epilogueMs;
  runUntil(world, () => timeline.now >= end);
  checks.atTheEnd();
}

function runSecond(world: World, checks: Checks, { quiet }: { quiet: boolean }): void {
  const second = world.timeline.now + 1000;
  runUntil(world, () => world.timeline.now >= second);
  checks.onSecond({ quiet });
}

function runUntil(world: World, isOver: () => boolean): void {
  for (let steps = 0; !isOver(); steps++) {
    if (steps > stepsMax) throw new Broken(`more than ${stepsMax} things happen until ${world.timeline.now} ms`);
    if (!world.timeline.step()) throw new Broken('nothing happens any more');
  }
}
