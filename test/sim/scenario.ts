/**
 * What happens in a world: a time of trouble, in which people work while everything breaks that can, then a time of
 * quiet, in which all is repaired and what was promised must come true.
 *
 * Each seed chooses which troubles it has and how often, so that some worlds have one kind only and others all at once.
 */

import type { Change } from '../../src/ports/store.ts';
import type { MemoryBlobs } from '../memory-blobs.ts';
import { type Askers, sendBeacons } from './askers.ts';
import type { Checks } from './checks.ts';
import type { Machine } from './clock.ts';
import type { Dice } from './dice.ts';
import { newHanded, newOrder, type Taste } from './orders.ts';
import type { People } from './people.ts';
import type { Host, Running, Watcher, World } from './world.ts';

/** Something that happens again and again. */
interface Recurrence {
  /** Mean time between two of them, ms; null = never. */
  readonly everyMs: number | null;
  readonly act: () => void;
}

/** When things are quiet this long people lift what they had stopped. */
const liftAfterMs = 60_000;

export class Scenario implements Watcher {
  readonly troubleEndsAt: number;
  readonly #world: World;
  readonly #people: People;
  readonly #askers: Askers;
  readonly #checks: Checks;
  readonly #dice: Dice;
  readonly #taste: Taste;

  constructor(parts: { world: World; people: People; askers: Askers; checks: Checks; dice: Dice; taste: Taste }) {
    this.#world = parts.world;
    this.#people = parts.people;
    this.#askers = parts.askers;
    this.#checks = parts.checks;
    this.#dice = parts.dice;
    this.#taste = parts.taste;
    this.troubleEndsAt = this.#dice.pick([10_000, 40_000, 120_000]);
  }

  /** When the last repair is made. */
  get quietFrom(): number {
    return this.troubleEndsAt + liftAfterMs;
  }

  begin(): void {
    const { timeline, hosts, disk } = this.#world;
    for (const content of this.#taste.contents) disk.contents.add(content);
    this.#later([0, 500], () => this.#world.startDispatcher());
    for (const host of hosts) this.#later([0, 3000], () => this.#world.startWorker(host));
    sendBeacons(this.#world);
    for (const recurrence of [...this.#work(), ...this.#troubles()]) this.#recur(recurrence);
    timeline.at(this.troubleEndsAt, () => this.#repair());
    timeline.at(this.quietFrom, () => this.#lift());
  }

  onStep(running: Running): void {
    this.#checks.onStep(running);
  }

  onCommit(changes: readonly Change[]): void {
    this.#checks.onCommit(changes);
  }

  onDispatcherGone(machine: Machine): void {
    this.#people.onDispatcherGone(machine);
    this.#later(
      this.#dice.pick([
        [10, 300],
        [1000, 15_000],
      ]),
      () => this.#world.startDispatcher(),
    );
  }

  onWorkerGone(host: Host): void {
    this.#later(host.retired ? [5000, 30_000] : [50, 10_000], () => this.#world.startWorker(host));
  }

  // ------------------------------------------------------------------------------------------------- what goes on

  #work(): Recurrence[] {
    const people = this.#people;
    const dice = this.#dice;
    const calm = this.troubleEndsAt;
    return [
      {
        everyMs: calm / dice.pick([4, 10, 30]),
        act: () => people.submit(newOrder(dice, this.#taste, [...people.promised.keys()])),
      },
      { everyMs: calm / 3, act: () => people.repeat() },
      { everyMs: this.#maybe(8000), act: () => people.cancel() },
      { everyMs: this.#maybe(8000), act: () => people.retry() },
      { everyMs: this.#maybe(5000), act: () => people.follow() },
      {
        everyMs: this.#maybe(20_000),
        act: () => people.setDraining(this.#host().name, dice.chance(0.6), { insists: false }),
      },
      { everyMs: this.#maybe(20_000), act: () => people.setPaused(dice.chance(0.5), { insists: false }) },
      {
        everyMs: this.#maybe(5000),
        act: () => this.#askers.hand(newHanded(dice, this.#taste), this.#host(), this.#host()),
      },
    ];
  }

  #troubles(): Recurrence[] {
    const world = this.#world;
    const dice = this.#dice;
    const { mood } = world.disk;
    return [
      { everyMs: this.#maybe(10_000), act: () => world.killWorker(this.#host(), { silently: dice.chance(0.4) }) },
      { everyMs: this.#maybe(30_000), act: () => world.leaveWorker(this.#host(), { now: dice.chance(0.3) }) },
      { everyMs: this.#maybe(15_000), act: () => world.killDispatcher({ silently: dice.chance(0.3) }) },
      { everyMs: this.#maybe(30_000), act: () => world.closeDispatcher() },
      {
        everyMs: this.#maybe(15_000),
        act: () => {
          mood.crashAtNext = dice.pick(['before', 'after']);
        },
      },
      { everyMs: this.#maybe(5000), act: () => world.network.breakLinks(this.#host().name) },
      { everyMs: this.#maybe(10_000), act: () => this.#cutOff(this.#host().name) },
      { everyMs: this.#maybe(8000), act: () => this.#part(this.#host().name, this.#host().name) },
      { everyMs: this.#maybe(20_000), act: () => this.#fillDisk() },
      { everyMs: this.#maybe(3000), act: () => this.#rot(this.#host().blobs) },
      { everyMs: this.#maybe(10_000), act: () => this.#jumpClock() },
      { everyMs: this.#maybe(40_000), act: () => world.dispatcher?.machine.stall(dice.between(100, 30_000)) },
      // While it is slow, workers run dry beside others that have work waiting.
      { everyMs: this.#maybe(4000), act: () => world.dispatcher?.machine.stall(dice.between(500, 5000)) },
      { everyMs: this.#maybe(5000), act: () => this.#heat(this.#host()) },
      { everyMs: this.#maybe(40_000), act: () => this.#host().program?.machine.stall(dice.between(100, 30_000)) },
    ];
  }

  #cutOff(host: string): void {
    this.#world.journal.note(host, 'is cut off');
    this.#world.network.cutOff(host);
    this.#later([50, this.#dice.pick([1000, 20_000, 90_000])], () => this.#world.network.reconnect(host));
  }

  #heat(host: Host): void {
    host.temperatureC = 90;
    this.#later([1000, 20_000], () => {
      host.temperatureC = 40;
    });
  }

  #part(one: string, other: string): void {
    if (one === other) return;
    this.#world.journal.note(one, `is parted from ${other}`);
    this.#world.network.part(one, other);
    this.#later([50, this.#dice.pick([1000, 20_000, 90_000])], () => this.#world.network.rejoin(one, other));
  }

  #fillDisk(): void {
    this.#world.journal.note('d', 'has a full disk');
    const { mood, contents } = this.#world.disk;
    mood.full = true;
    contents.bytesMax = 0;
    this.#later([50, 20_000], () => {
      mood.full = false;
      contents.bytesMax = Number.POSITIVE_INFINITY;
    });
  }

  /** A bit of a file flips where it lies. */
  #rot(blobs: MemoryBlobs): void {
    const present = [...blobs.blobs].filter(([, bytes]) => bytes.length > 0);
    if (present.length > 0) blobs.corrupt(this.#dice.pick(present)[0]);
  }

  #jumpClock(): void {
    this.#dice.pick(this.#world.paces).wallOffsetMs += this.#dice.whole(-3_600_000, 3_600_000);
  }

  // ------------------------------------------------------------------------------------------------- repairs

  #repair(): void {
    const { disk, network, weather, journal } = this.#world;
    journal.note('-', 'all troubles end');
    disk.contents.bytesMax = Number.POSITIVE_INFINITY;
    Object.assign(disk.mood, { full: false, failedCommits: 0, commitMs: [0, 2], crashAtNext: null });
    Object.assign(weather, { duplicates: 0, failedDials: 0 });
    this.#world.failedDirs = 0;
    for (const { program } of this.#world.hosts) if (program !== null) program.table.failedDirs = 0;
    network.reconnectAll();
  }

  #lift(): void {
    this.#people.setPaused(false, { insists: true });
    for (const { name } of this.#world.hosts) this.#people.setDraining(name, false, { insists: true });
  }

  #host(): Host {
    return this.#dice.pick(this.#world.hosts);
  }

  /** About every `everyMs`, or not at all in this world. */
  #maybe(everyMs: number): number | null {
    return this.#dice.chance(0.6) ? null : everyMs * this.#dice.between(0.3, 3);
  }

  #later([least, most]: readonly [number, number], act: () => void): void {
    const { timeline } = this.#world;
    timeline.at(timeline.now + this.#dice.between(least, most), act);
  }

  #recur(recurrence: Recurrence): void {
    const { everyMs, act } = recurrence;
    if (everyMs === null) return;
    const { timeline } = this.#world;
    const next = timeline.now - everyMs * Math.log(1 - this.#dice.roll());
    if (next >= this.troubleEndsAt) return;
    timeline.at(next, () => {
      act();
      this.#recur(recurrence);
    });
  }
}
