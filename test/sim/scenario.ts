/**
 * What happens in a world: a time of trouble, in which people work while everything breaks that can, then a time of
 * quiet, in which all is repaired and what was promised must come true.
 *
 * Each seed chooses which troubles it has and how often, so that some worlds have one kind only and others all at once.
 * In some, most of what goes on is work that changes hands: much waits, workers are drained, too hot or on battery all the
 * time, the dispatcher is slow, and whatever is said of it is a moment at which something breaks.
 */

import type { Change } from '../../src/ports/store.ts';
import type { MemoryBlobs } from '../memory-blobs.ts';
import { type Askers, sendBeacons } from './askers.ts';
import type { Checks } from './checks.ts';
import type { Machine } from './clock.ts';
import type { Dice } from './dice.ts';
import type { Said } from './ledger.ts';
import { newFlood, newHanded, newOrder, type Taste } from './orders.ts';
import type { People } from './people.ts';
import type { Host, Running, Watcher, World } from './world.ts';

/** Something that happens again and again. */
interface Recurrence {
  /** Mean time between two of them, ms; null = never. */
  readonly everyMs: number | null;
  readonly act: () => void;
}

/** What is said of work that changes hands: after each something may break. */
const pivotal: ReadonlySet<string> = new Set(['offer', 'offerAnswered', 'handedOver', 'granted', 'workWanted']);
/** Chance of that, each time. */
const ambushes = 0.06;

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
  readonly #isExchange: boolean;

  /** `isExchange`: most of what goes on is work that changes hands. */
  constructor(parts: {
    world: World;
    people: People;
    askers: Askers;
    checks: Checks;
    dice: Dice;
    taste: Taste;
    isExchange: boolean;
  }) {
    this.#isExchange = parts.isExchange;
    this.#world = parts.world;
    this.#people = parts.people;
    this.#askers = parts.askers;
    this.#checks = parts.checks;
    this.#dice = parts.dice;
    this.#taste = parts.taste;
    this.troubleEndsAt = this.#dice.pick(parts.isExchange ? [40_000, 80_000] : [10_000, 40_000, 120_000]);
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
    const exchange = this.#isExchange ? this.#exchange() : [];
    for (const recurrence of [...this.#work(), ...this.#troubles(), ...exchange]) this.#recur(recurrence);
    timeline.at(this.troubleEndsAt, () => this.#repair());
    timeline.at(this.quietFrom, () => this.#lift());
  }

  onStep(running: Running): void {
    this.#checks.onStep(running);
  }

  onCommit(changes: readonly Change[]): void {
    this.#checks.onCommit(changes);
  }

  onSaid(said: Said): void {
    this.#checks.onSaid(said);
    const isOver = this.#world.timeline.now >= this.troubleEndsAt;
    if (isOver || !this.#isExchange || !pivotal.has(said.message.kind)) return;
    if (this.#dice.chance(ambushes)) this.#later([0, 2 * this.#world.weather.latencyMs[1]], () => this.#ambush(said));
  }

  onDispatcherGone(machine: Machine): void {
    for (const { name } of this.#world.hosts) this.#world.ledger.isAway(name, this.#world.timeline.now);
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

  /** Much to do at once, and workers that want to be rid of it. */
  #exchange(): Recurrence[] {
    const people = this.#people;
    const dice = this.#dice;
    return [
      { everyMs: 3000, act: () => this.#flood() },
      { everyMs: 2500, act: () => people.setDraining(this.#host().name, dice.chance(0.5), { insists: false }) },
      { everyMs: 2500, act: () => this.#heat(this.#host()) },
      { everyMs: 2500, act: () => this.#unplug(this.#host()) },
      { everyMs: this.#maybe(5000), act: () => this.#part(this.#host().name, this.#host().name) },
      { everyMs: this.#maybe(5000), act: () => this.#mute(this.#host().name, this.#host().name) },
      { everyMs: this.#maybe(8000), act: () => this.#mute(this.#host().name, 'dispatcher') },
      { everyMs: this.#maybe(8000), act: () => this.#mute('dispatcher', this.#host().name) },
    ];
  }

  /** Much at once, and then a dispatcher that is slow: some workers run dry beside others that have work waiting. */
  #flood(): void {
    this.#people.submit(newFlood(this.#dice, this.#taste));
    this.#later([20, 500], () => this.#world.dispatcher?.machine.stall(this.#dice.between(500, 4500)));
  }

  /** What breaks when something was said: those who said and heard it, the way between them, or the dispatcher. */
  #ambush({ message: { kind }, from, to }: Said): void {
    const world = this.#world;
    const { mood } = world.disk;
    const hostOf = (machine: Machine): Host | undefined =>
      world.hosts.find(({ program }) => program?.machine === machine);
    world.journal.note('-', `there is trouble after ${kind}`);
    const [giver, taker] = [hostOf(from), hostOf(to)];
    const kill = (host: Host | undefined): void => {
      if (host !== undefined) world.killWorker(host, { silently: this.#dice.chance(0.3) });
    };
    const acts: readonly (() => void)[] = [
      () => kill(giver),
      () => kill(taker),
      () => world.network.breakLinks((giver ?? taker ?? this.#host()).name),
      () => this.#part((giver ?? this.#host()).name, (taker ?? this.#host()).name),
      () => this.#mute((giver ?? this.#host()).name, taker?.name ?? 'dispatcher'),
      () => this.#mute(giver?.name ?? 'dispatcher', (taker ?? this.#host()).name),
      () => this.#cutOff((giver ?? taker ?? this.#host()).name),
      () => world.leaveWorker(giver ?? this.#host(), { now: this.#dice.chance(0.3) }),
      () => this.#people.setDraining((giver ?? taker ?? this.#host()).name, true, { insists: false }),
      () => world.killDispatcher({ silently: false }),
      () => {
        mood.crashAtNext = this.#dice.pick(['before', 'after']);
      },
      () => world.dispatcher?.machine.stall(this.#dice.between(1000, 8000)),
    ];
    this.#dice.pick(acts)();
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

  /** It runs on mains, and then on battery for a while. */
  #unplug(host: Host): void {
    host.charging = true;
    this.#later([6000, 12_000], () => {
      host.charging = false;
    });
    this.#later([12_000, 25_000], () => {
      host.charging = true;
    });
  }

  #mute(from: string, to: string): void {
    if (from === to) return;
    this.#world.journal.note(from, `is not heard by ${to}`);
    this.#world.network.mute(from, to);
    this.#later([50, this.#dice.pick([1000, 20_000, 90_000])], () => this.#world.network.unmute(from, to));
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
    for (const host of this.#world.hosts) Object.assign(host, { temperatureC: null, charging: null });
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
