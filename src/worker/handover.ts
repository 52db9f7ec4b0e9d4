/**
 * Work that changes hands between workers.
 *
 *   giver    waiting ──(offer)──> set aside ──(taken)──> gone, `handedOver` told to the dispatcher
 *               ^                     └──(declined, no answer, link lost)──┐
 *               └──────────────── put back; or given back when no more work is wanted here
 *   taker    offered ──(taken)──> kept ──(`granted` by the dispatcher)──> in its backlog under the new number
 *                                   └──(5 s, or the dispatcher's link lost)──> forgotten
 *
 * Gives when an operator drains the worker, when it leaves, rests, is hot, or has gone on battery; and to whoever is idle and
 * asks. Asks only for what it could start at once; of those who have to be rid of their work it takes as much again as it
 * has slots, to wait. Nothing happens while there is no dispatcher: it alone decides, and what
 * was taken is never started before it is granted. So an answer that is lost costs time, and nothing else.
 */

import type { AttemptKey } from '../core/attempt.ts';
import { coolC, hotC } from '../core/conditions.ts';
import { asksForAmounts, suits } from '../core/placement.ts';
import type { WorkerDeclaration, WorkerVitals } from '../core/worker.ts';
import type { Beacon } from '../discovery/beacon.ts';
import type { PeerTableView } from '../discovery/peer-table.ts';
import type { WorkerLink } from '../ports/links.ts';
import type { Clock, Log, Timer } from '../ports/time.ts';
import type { Assignment, DispatcherMessage } from '../wire/messages.ts';
import { offeredMax, type PeerMessage } from '../wire/peer-messages.ts';
import type { Attempts } from './attempts.ts';
import type { Peer } from './peer.ts';
import type { PeerPart, Peers } from './peers.ts';

/** What was offered and is not answered in this time stays. */
const answerMsMax = 1000;
/** What was taken and is not granted in this time is forgotten. */
const grantMsMax = 5000;
/** How often an idle worker asks for work. */
const askMs = 1000;

type Granted = Extract<DispatcherMessage, { kind: 'granted' }>['entries'];

interface Parts {
  readonly clock: Clock;
  readonly log: Log;
  readonly peers: Pick<Peers, 'add' | 'dial'>;
  /** Who is there, by their beacons. */
  readonly table: PeerTableView;
  readonly attempts: Attempts;
  readonly declaration: WorkerDeclaration;
  /** Something that waited here is gone. */
  onChange(): void;
}

/** A worker by its key, hex, and its id. */
interface Node {
  readonly publicKey: string;
  readonly id: string;
}

interface Offered {
  readonly key: AttemptKey;
  readonly to: Node;
  readonly timer: Timer;
}

interface Taken {
  readonly assignment: Assignment;
  readonly timer: Timer;
}

export class Handover implements PeerPart {
  readonly #parts: Parts;
  /** Both by task. */
  readonly #offered = new Map<string, Offered>();
  readonly #taken = new Map<string, Taken>();
  #link: WorkerLink | null = null;
  #asking: Timer | null = null;
  #draining = false;
  #leaving = false;
  #resting = false;
  #hot = false;
  #charging: boolean | null = null;
  #onBattery = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    parts.peers.add(this);
  }

  /** New work is not wanted here, whoever it comes from. */
  get isUnwilling(): boolean {
    return this.#isClosed || this.#hot || this.#onBattery;
  }

  /** What waits here is to go, to whoever takes it. */
  get #isClosed(): boolean {
    return this.#draining || this.#leaving || this.#resting;
  }

  // -------------------------------------------------------------------------------------- as the worker is told

  /** The dispatcher has welcomed the worker; `allowed`: it wants its workers to have peers. */
  joined(link: WorkerLink, allowed: boolean): void {
    this.lost();
    if (!allowed) return;
    this.#link = link;
    this.#askLater();
  }

  /** The dispatcher's link is gone: nothing that is open can be decided. */
  lost(): void {
    this.#link = null;
    this.#asking?.cancel();
    for (const { timer } of this.#taken.values()) timer.cancel();
    this.#taken.clear();
    this.#unanswered(() => true);
  }

  /** An operator wants no new work here, or wants it again. */
  drain(draining: boolean): void {
    this.#draining = draining;
    if (draining) this.#empty();
  }

  /** Its conditions for work do not hold, or hold again. */
  rest(resting: boolean): void {
    this.#resting = resting;
    if (resting) this.#empty();
  }

  /** The worker takes no more work, for good. */
  leave(): void {
    this.#leaving = true;
    this.#empty();
  }

  /** How the worker feels just now. */
  felt({ temperatureC, charging }: Pick<WorkerVitals, 'temperatureC' | 'charging'>): void {
    if (temperatureC !== null) this.#hot = temperatureC >= (this.#hot ? coolC : hotC);
    if (charging === false && this.#charging === true) this.#onBattery = true;
    else if (charging !== false) this.#onBattery = false;
    this.#charging = charging;
    if (this.#hot || this.#onBattery) this.#offerAll();
  }

  /** The dispatcher lets some of what was taken start, under a new number. */
  granted(entries: Granted): void {
    const { attempts } = this.#parts;
    for (const { taskId, attempt, previous } of entries) {
      const taken = this.#taken.get(taskId);
      if (taken?.assignment.attempt === previous) {
        this.#forget(taskId);
        attempts.assign({ ...taken.assignment, attempt }, this.#isClosed);
      } else if ((attempts.attemptOf(taskId) ?? 0) < attempt) attempts.giveBack({ taskId, attempt });
    }
    attempts.startNext();
  }

  // ------------------------------------------------------------------------------------------- as peers are told

  onMessage(peer: Peer, message: PeerMessage): void {
    if (message.kind === 'workWanted') this.#onWorkWanted(peer, message.slots);
    else if (message.kind === 'offer') this.#onOffer(peer, message.attempts);
    else if (message.kind === 'offerAnswered') this.#onAnswered(peer, message);
  }

  onPeerEnd({ publicKey }: Peer): void {
    this.#unanswered(({ to }) => to.publicKey === publicKey);
  }

  // ------------------------------------------------------------------------------------------------- giving

  /** Offers what waits here; what nobody is there for is given back. */
  #empty(): void {
    this.#offerAll();
    for (const { taskId, attempt } of this.#parts.attempts.backlog.youngest(Number.MAX_SAFE_INTEGER)) {
      this.#parts.attempts.recall({ taskId, attempt });
    }
    this.#parts.onChange();
  }

  /** Offers what waits to peers, each as much as it has room for. */
  #offerAll(): void {
    if (this.#link === null) return;
    const byPeer = new Map<Beacon, Assignment[]>();
    for (const assignment of this.#parts.attempts.backlog.youngest(Number.MAX_SAFE_INTEGER)) {
      const peer = this.#takerOf(assignment, byPeer);
      if (peer !== null) byPeer.set(peer, [...(byPeer.get(peer) ?? []), assignment]);
    }
    for (const [node, offered] of byPeer) this.#offer(node, offered);
  }

  /** Who could start it, besides what is meant for it already; else who could have it wait. */
  #takerOf({ spec: { requires } }: Assignment, meant: ReadonlyMap<Beacon, readonly Assignment[]>): Beacon | null {
    const { table, declaration } = this.#parts;
    const suited = table.suited(requires).flatMap(({ id, beacon }) => (id === declaration.id ? [] : [beacon]));
    const first = (roomOf: (beacon: Beacon) => number): Beacon | undefined =>
      suited.find((beacon) => (meant.get(beacon)?.length ?? 0) < Math.min(roomOf(beacon), offeredMax));
    const starts = first(({ slotsFree }) => slotsFree);
    if (starts !== undefined || asksForAmounts(requires)) return starts ?? null;
    return first(({ slotsFree, slots, waiting }) => slotsFree + slots - waiting) ?? null;
  }

  #offer(to: Node, offered: readonly Assignment[]): void {
    const { attempts, clock } = this.#parts;
    for (const { taskId, attempt } of offered) {
      attempts.backlog.setAside(taskId);
      const timer = clock.after(answerMsMax, () => this.#unanswered(({ key }) => key.taskId === taskId));
      this.#offered.set(taskId, { key: { taskId, attempt }, to, timer });
    }
    this.#tell(to, { kind: 'offer', attempts: offered });
  }

  /** Says something to a worker that was heard of; dials it when there is no link yet. */
  #tell({ publicKey, id }: Node, message: PeerMessage): void {
    const { table, peers } = this.#parts;
    const { beacon, from } = table.get(id) ?? {};
    const address = { publicKey, host: from?.address ?? '', port: beacon?.peerPort ?? 0 };
    void peers.dial(address).then((dialled) => {
      if (dialled.ok) dialled.peer.send(message);
      else this.#unanswered(({ to }) => to.publicKey === publicKey);
    });
  }

  #onWorkWanted(peer: Peer, slots: number): void {
    if (this.#link === null) return;
    const offered = this.#parts.attempts.backlog.youngest(Math.min(slots, offeredMax));
    if (offered.length > 0) this.#offer(peer, offered);
  }

  #onAnswered(peer: Peer, { taken }: { readonly taken: readonly AttemptKey[] }): void {
    const { attempts } = this.#parts;
    const entries = taken.filter(({ taskId, attempt }) => {
      const offered = this.#offered.get(taskId);
      if (offered?.to.publicKey !== peer.publicKey || offered.key.attempt !== attempt) return false;
      offered.timer.cancel();
      this.#offered.delete(taskId);
      return attempts.take(offered.key);
    });
    if (entries.length > 0) {
      this.#parts.log.info('handed waiting tasks to a peer', { peer: peer.name, tasks: entries.length });
      this.#link?.send({ kind: 'handedOver', entries: entries.map((key) => ({ ...key, to: peer.id })) });
    }
    // Of the rest it has declined all that was answered here.
    this.#unanswered(({ to }) => to.publicKey === peer.publicKey);
    this.#parts.onChange();
  }

  /** What was offered and not taken waits here again, or is given back when no more work is wanted. */
  #unanswered(which: (offered: Offered) => boolean): void {
    const { attempts } = this.#parts;
    let some = false;
    for (const [taskId, offered] of [...this.#offered]) {
      if (!which(offered)) continue;
      some = true;
      offered.timer.cancel();
      this.#offered.delete(taskId);
      if (this.#isClosed) attempts.recall(offered.key);
      else attempts.backlog.putBack(taskId);
    }
    if (!some) return;
    attempts.startNext();
    this.#parts.onChange();
  }

  // ------------------------------------------------------------------------------------------------- taking

  /** How much could start at once if it were here; below 0 = so much waits already. */
  get #room(): number {
    const { free, waiting } = this.#parts.attempts.backlog;
    return this.#link === null || this.isUnwilling ? Number.NEGATIVE_INFINITY : free - waiting - this.#taken.size;
  }

  #askLater(): void {
    this.#asking = this.#parts.clock.after(askMs, () => {
      this.#ask();
      this.#askLater();
    });
  }

  /** Asks the peer with the most waiting, when nothing waits here. */
  #ask(): void {
    const slots = this.#room;
    if (slots <= 0) return;
    const { table, declaration } = this.#parts;
    let loaded: (Node & { readonly waiting: number }) | null = null;
    for (const { id, beacon } of table.all()) {
      const { role, peerPort, slotsFree, waiting } = beacon;
      if (id === declaration.id || role !== 'worker' || peerPort === null || slotsFree > 0) continue;
      if (waiting > (loaded?.waiting ?? 0)) loaded = beacon;
    }
    if (loaded !== null) this.#tell(loaded, { kind: 'workWanted', slots });
  }

  #onOffer(peer: Peer, offered: readonly Assignment[]): void {
    const taken: AttemptKey[] = [];
    const declined: AttemptKey[] = [];
    for (const assignment of offered.slice(0, offeredMax)) {
      const { taskId, attempt } = assignment;
      (this.#take(assignment) ? taken : declined).push({ taskId, attempt });
    }
    peer.send({ kind: 'offerAnswered', taken, declined });
  }

  #take(assignment: Assignment): boolean {
    const { attempts, declaration, clock } = this.#parts;
    const { taskId, attempt, spec } = assignment;
    const known = this.#taken.get(taskId)?.assignment.attempt;
    if (known !== undefined) return known === attempt;
    const ahead = asksForAmounts(spec.requires) ? 0 : declaration.slots;
    if (this.#room + ahead <= 0 || !suits(declaration, spec.requires)) return false;
    if (attempts.attemptOf(taskId) !== null) return false;
    this.#taken.set(taskId, { assignment, timer: clock.after(grantMsMax, () => this.#forget(taskId)) });
    return true;
  }

  #forget(taskId: string): void {
    this.#taken.get(taskId)?.timer.cancel();
    this.#taken.delete(taskId);
  }
}
