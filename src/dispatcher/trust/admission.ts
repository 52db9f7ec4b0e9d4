/**
 * Devices that are not members yet: with a join token, or with nothing but a code that a person compares. Such a link may
 * say one thing, `enroll`; anything else ends it. What comes out of it is a credential, with which the device dials anew.
 *
 *   invite:   enroll ──> credential, or refused
 *   nothing:  enroll ──> pending ──(approve)──> credential     (reject, too long, too many) ──> refused
 *
 * Bounded: devices that wait in number, also of one address, in rate and in time; a link that does not ask in time ends.
 */

import type { ApprovalView } from '../../api/trust-schemas.ts';
import { OctasklyError } from '../../base/errors.ts';
import { TokenBuckets } from '../../core/token-bucket.ts';
import type { Actor, NodeRecord } from '../../core/trust.ts';
import type { DispatcherLink, LinkHandlers } from '../../ports/links.ts';
import type { Clock, Log, Random, Timer } from '../../ports/time.ts';
import type { RefusalCode, WorkerMessage } from '../../wire/messages.ts';
import type { Engine } from '../engine.ts';
import { type Attempts, type Doer, putOnRecord } from '../record.ts';
import type { Turn } from '../turn.ts';
import type { Invites } from './invites.ts';
import type { Registry } from './registry.ts';

/** A link that has not asked after this long is hung up on. */
const askMsMax = 10_000;
/** A device is waited with for this long. */
const approvalMs = 10 * 60_000;
/** Devices that wait at once, and of one address. */
const waitingMax = 32;
const waitingPerAddressMax = 4;
/** Enrolments of one address: so many at once, then one in ten seconds. */
const askBurst = 12;
const askPerSecond = 0.1;
const addressesMax = 1024;
/** A refused device that may ask again should wait at least this long. */
const retryAfterMsMin = 2000;

type Enroll = Extract<WorkerMessage, { kind: 'enroll' }>;

/** A device that waits. */
interface Waiting {
  readonly id: string;
  readonly code: string;
  readonly link: DispatcherLink;
  readonly asked: Enroll;
  /** Wall-clock ms. */
  readonly askedAt: number;
  readonly expiresAt: number;
  readonly timer: Timer;
}

interface Parts {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly engine: () => Engine;
  readonly registry: Registry;
  readonly invites: Invites;
  readonly attempts: Attempts;
  /** Devices may ask to be approved. */
  readonly approvals: boolean;
  /** Names that may join; empty = all. */
  readonly allowWorkers: readonly string[];
  /** `SHA256:` and the hash of a public key. */
  fingerprintOf(publicKey: string): string;
  /** A device waits to be approved, from this turn on. */
  onAsked(turn: Turn, device: { readonly id: string; readonly name: string; readonly address: string }): void;
  /** Sends a node what it needs to come back. `name`: what it is to be called; null = as it likes. */
  sendCredential(link: DispatcherLink, name: string | null): void;
}

export class Admission {
  readonly #parts: Parts;
  readonly #waiting = new Map<string, Waiting>();
  readonly #asks = new TokenBuckets({ ratePerSecond: askPerSecond, burst: askBurst, keysMax: addressesMax });

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Takes a link whose admission is `invite` or `nothing`. */
  accept(link: DispatcherLink): LinkHandlers<WorkerMessage> {
    const { clock } = this.#parts;
    let timer: Timer | null = clock.after(askMsMax, () => link.close('it did not say what it wants'));
    return {
      onMessage: (message) => {
        if (message.kind !== 'enroll' || timer === null) {
          link.close('a device that is not let in yet may only ask for that, once');
          return;
        }
        timer.cancel();
        timer = null;
        this.#parts.engine().put({
          handle: (turn) => this.#onEnroll(turn, link, message),
          abort: (error) => this.#refuse(link, { code: 'storage_unavailable', detail: error.message }),
        });
      },
      onDrain: () => undefined,
      onEnd: () => {
        timer?.cancel();
        this.#forget(link);
      },
    };
  }

  /** Devices that wait, the longest waiting first. */
  list(): readonly ApprovalView[] {
    return [...this.#waiting.values()].map((one) => this.#viewOf(one));
  }

  approve(turn: Turn, codeOrId: string, actor: Actor): ApprovalView {
    const one = this.#find(codeOrId);
    const { link, asked } = one;
    this.#parts.registry.saveNode(turn, this.#node(turn, link, asked.name, { admittedBy: 'approval', inviteId: null }));
    this.#onRecord(turn, 'node_approved', actor, one);
    publish(turn, 'approved', one);
    this.#forget(link);
    turn.afterwards(() => this.#letIn(link, null));
    return this.#viewOf(one);
  }

  reject(turn: Turn, codeOrId: string, actor: Actor): ApprovalView {
    const one = this.#find(codeOrId);
    this.#onRecord(turn, 'node_rejected', actor, one);
    publish(turn, 'rejected', one);
    this.#forget(one.link);
    const detail = 'The operator does not let this device in.';
    turn.afterwards(() => this.#refuse(one.link, { code: 'rejected', detail }));
    return this.#viewOf(one);
  }

  #onEnroll(turn: Turn, link: DispatcherLink, asked: Enroll): void {
    const from = addressOf(link.remote);
    const retryAfterMs = this.#asks.take(from, turn.at);
    const no = (code: RefusalCode, detail: string, afterMs = 0): void => {
      this.#parts.attempts.noteRefusal({
        eventType: 'join_refused',
        actor: asked.name,
        from: link.remote,
        details: { reason: code, key: this.#parts.fingerprintOf(link.remoteKey) },
      });
      turn.afterwards(() => this.#refuse(link, { code, detail, afterMs }));
    };
    if (retryAfterMs !== null) {
      no('busy', 'This address asked too often; wait a little.', retryAfterMs);
      return;
    }
    if (link.admission.by === 'invite') this.#useInvite(turn, link, { asked, inviteId: link.admission.inviteId, no });
    else if (link.admission.by === 'nothing') this.#ask(turn, link, { asked, code: link.admission.code, no });
    else link.close('a member has nothing to ask for');
  }

  #useInvite(
    turn: Turn,
    link: DispatcherLink,
    {
      asked,
      inviteId,
      no,
    }: {
      readonly asked: Enroll;
      readonly inviteId: string;
      readonly no: (code: RefusalCode, detail: string) => void;
    },
  ): void {
    const { registry, invites } = this.#parts;
    const known = registry.node(link.remoteKey);
    const name = registry.invite(inviteId)?.name ?? asked.name;
    const barred = this.nameBarred(name);
    if (barred !== null) {
      no('not_allowed', barred);
      return;
    }
    const invite = invites.use(turn, inviteId, known);
    if ('code' in invite) {
      no(invite.code, invite.detail);
      return;
    }
    registry.saveNode(turn, this.#node(turn, link, name, { admittedBy: 'invite', inviteId }));
    const actor: Doer = { name, from: link.remote };
    const { platform, arch } = asked;
    const key = this.#parts.fingerprintOf(link.remoteKey);
    putOnRecord(turn, { eventType: 'node_joined', actor, details: { invite: inviteId, key, platform, arch } });
    turn.afterwards(() => this.#letIn(link, invite.name));
  }

  #ask(
    turn: Turn,
    link: DispatcherLink,
    {
      asked,
      code,
      no,
    }: {
      readonly asked: Enroll;
      readonly code: string;
      readonly no: (code: RefusalCode, detail: string, afterMs?: number) => void;
    },
  ): void {
    const { clock, log, random, approvals, fingerprintOf } = this.#parts;
    const barred = approvals
      ? this.nameBarred(asked.name)
      : "This dispatcher lets no device in by approval: ask for a join token ('octaskly invite' there).";
    if (barred !== null) {
      no('not_allowed', barred);
      return;
    }
    const from = addressOf(link.remote);
    for (const other of [...this.#waiting.values()]) {
      if (other.link.remoteKey === link.remoteKey) this.#drop(other, 'It asked again on another link.');
    }
    const ofAddress = [...this.#waiting.values()].filter((other) => addressOf(other.link.remote) === from).length;
    if (this.#waiting.size >= waitingMax || ofAddress >= waitingPerAddressMax) {
      no('busy', `${this.#waiting.size} devices wait to be approved already; try again later.`, approvalMs / 10);
      return;
    }
    const timer = clock.after(approvalMs, () => this.#expire(link));
    const times = { askedAt: turn.wall, expiresAt: turn.wall + approvalMs };
    const one: Waiting = { id: random.bytes(6).toHex(), code, link, asked, timer, ...times };
    this.#waiting.set(one.id, one);
    this.#parts.onAsked(turn, { id: one.id, name: asked.name, address: link.remote });
    publish(turn, 'asking', one);
    turn.afterwards(() => {
      link.send({ kind: 'pending', expiresInMs: approvalMs });
      const shown = `${code.slice(0, 3)} ${code.slice(3)}`;
      log.info(`a device asks to join; if it shows the code ${shown}: octaskly approve ${code}`, {
        name: asked.name,
        address: link.remote,
        key: fingerprintOf(link.remoteKey),
      });
    });
  }

  /** Why a node of this name may not join; null = it may. */
  nameBarred(name: string): string | null {
    const { allowWorkers } = this.#parts;
    if (allowWorkers.length === 0 || allowWorkers.includes(name)) return null;
    return `Workers named "${name}" may not join here: the dispatcher was started with --allow-worker for others.`;
  }

  #node(turn: Turn, link: DispatcherLink, name: string, how: Pick<NodeRecord, 'admittedBy' | 'inviteId'>): NodeRecord {
    const known = this.#parts.registry.node(link.remoteKey);
    const { remoteKey: publicKey } = link;
    const workerId = known?.workerId ?? null;
    return { publicKey, name, workerId, ...how, admittedAt: turn.wall, revokedAt: null };
  }

  #letIn(link: DispatcherLink, name: string | null): void {
    this.#parts.sendCredential(link, name);
    link.close('it has its credential');
  }

  #find(codeOrId: string): Waiting {
    const all = [...this.#waiting.values()];
    const digits = codeOrId.replaceAll(/[\s-]/g, '');
    const byId = this.#waiting.get(codeOrId);
    // Never by name: a device names itself, and could call itself by the code that another one shows.
    const found = byId === undefined ? all.filter(({ code }) => code === digits) : [byId];
    const [first, second] = found;
    if (first === undefined) {
      const hint =
        all.length === 0
          ? 'No device waits.'
          : `${all.length === 1 ? 'One device waits' : `${all.length} devices wait`} with other codes: if a device shows a code that is not among them, somebody may be in between.`;
      throw new OctasklyError('not_found', `No device waits with the code "${codeOrId}". ${hint}`);
    }
    if (second === undefined) return first;
    const ids = found.map(({ id, asked, link }) => `${id} (${asked.name} at ${link.remote})`).join(', ');
    throw new OctasklyError('conflict', `Several devices answer to "${codeOrId}": name one by its id: ${ids}.`);
  }

  #expire(link: DispatcherLink): void {
    const minutes = approvalMs / 60_000;
    const detail = `Nobody approved this device within ${minutes} minutes.`;
    this.#forget(link);
    this.#refuse(link, { code: 'approval_expired', detail });
  }

  #drop(one: Waiting, detail: string): void {
    this.#forget(one.link);
    one.link.close(detail);
  }

  #refuse(
    link: DispatcherLink,
    { code, detail, afterMs = 0 }: { readonly code: RefusalCode; readonly detail: string; readonly afterMs?: number },
  ): void {
    this.#parts.engine().tally.joinsRefused[code] += 1;
    link.send({ kind: 'refused', code, detail, retryAfterMs: Math.ceil(Math.max(afterMs, retryAfterMsMin)) });
    link.close(detail);
  }

  #forget(link: DispatcherLink): void {
    for (const [id, one] of this.#waiting) {
      if (one.link !== link) continue;
      one.timer.cancel();
      this.#waiting.delete(id);
    }
  }

  #onRecord(turn: Turn, eventType: string, actor: Doer, { asked, code, link }: Waiting): void {
    const key = this.#parts.fingerprintOf(link.remoteKey);
    putOnRecord(turn, { eventType, actor, details: { name: asked.name, address: link.remote, code, key } });
  }

  #viewOf({ id, code, link, asked, askedAt, expiresAt }: Waiting): ApprovalView {
    return {
      id,
      code,
      name: asked.name,
      address: link.remote,
      platform: asked.platform,
      arch: asked.arch,
      version: asked.version,
      fingerprint: this.#parts.fingerprintOf(link.remoteKey),
      asked_at: new Date(askedAt).toISOString(),
      expires_at: new Date(expiresAt).toISOString(),
    };
  }
}

/** Tells the feed how the asking of a device goes; it is no worker yet, so its name travels as the detail. */
function publish(turn: Turn, status: 'asking' | 'approved' | 'rejected', { id, asked }: Waiting): void {
  turn.published.push({ kind: 'publish', what: 'worker', id, status, workerId: null, detail: asked.name });
}

/** The host of `host:port`. */
function addressOf(remote: string): string {
  return remote.slice(0, remote.lastIndexOf(':'));
}
