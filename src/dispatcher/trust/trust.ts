/**
 * Who may join and who may ask, on the dispatcher's side: the routes' `Trust` and the gate that links of nodes pass.
 * The parts are in this folder; here they are put together, and here are the acts that concern nodes that are members:
 * shutting one out, and the rotation of the cluster secret.
 */

import type { Identity } from '../../api/access.ts';
import type { Refusal, Trust } from '../../api/trust.ts';
import type { ApprovalView, CreatedInvite, CreatedToken, InviteView, TokenView } from '../../api/trust-schemas.ts';
import { OctasklyError } from '../../base/errors.ts';
import type { SchedulerState } from '../../core/state.ts';
import type { Actor } from '../../core/trust.ts';
import type { WorkerDeclaration } from '../../core/worker.ts';
import type { Keyring } from '../../ports/keys.ts';
import type { DispatcherLink, LinkHandlers } from '../../ports/links.ts';
import type { Loaded, Store } from '../../ports/store.ts';
import type { Clock, Log, Random, Timer } from '../../ports/time.ts';
import type { RosterEntry, WorkerMessage } from '../../wire/messages.ts';
import type { Engine } from '../engine.ts';
import { Attempts, itself, putOnRecord } from '../record.ts';
import type { Turn } from '../turn.ts';
import { Admission } from './admission.ts';
import { type InviteParts, Invites } from './invites.ts';
import { admitMember, type JoinRefusal, keyRefusal } from './members.ts';
import { Registry } from './registry.ts';
import { type TokenSigner, Tokens } from './tokens.ts';

const timerMsMax = 2 ** 31 - 1;

/** What the composition root gives: keys, and how this dispatcher is to be reached. */
export interface TrustSetup extends Pick<InviteParts, 'publicKey' | 'fingerprintOf' | 'addresses' | 'installer'> {
  readonly keyring: Keyring;
  readonly signer: TokenSigner;
  readonly random: Random;
  /** Names that may join; empty = all. */
  readonly allowWorkers: readonly string[];
  /** Devices may ask to be approved. */
  readonly approvals: boolean;
}

interface Parts {
  readonly setup: TrustSetup;
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Pick<Store, 'audit' | 'verifyAudit'>;
  readonly stored: Pick<Loaded, 'nodes' | 'invites' | 'tokens'>;
  readonly engine: () => Engine;
  /** The public key of a worker on record; null = there is no such worker. */
  keyOf(workerId: string): string | null;
  /** Links of workers that have joined. */
  joined(): Iterable<DispatcherLink>;
  /** Tells a worker why it is refused before its link is closed with this turn. */
  dismiss(state: SchedulerState, workerId: string, refusal: JoinRefusal): void;
  /** As of `Admission`. */
  onAsked: ConstructorParameters<typeof Admission>[0]['onAsked'];
  inTurn<T>(action: (turn: Turn) => T): Promise<T>;
}

export class DispatcherTrust implements Trust {
  readonly #parts: Parts;
  readonly #registry: Registry;
  readonly #tokens: Tokens;
  readonly #invites: Invites;
  readonly #admission: Admission;
  readonly #attempts: Attempts;
  #graceEnd: Timer | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { setup, clock, log, engine } = parts;
    this.#registry = new Registry(parts.stored);
    const registry = this.#registry;
    this.#attempts = new Attempts({ clock, engine });
    this.#tokens = new Tokens({ clock, random: setup.random, registry, signer: setup.signer });
    this.#invites = new Invites({ ...setup, clock, registry });
    registry.onInvites = () => setup.installer.openUntil(this.#invites.openUntil());
    registry.onInvites();
    this.#admission = new Admission({
      ...{ clock, log, engine, registry },
      ...{ random: setup.random, approvals: setup.approvals, allowWorkers: setup.allowWorkers },
      ...{ invites: this.#invites, attempts: this.#attempts, fingerprintOf: setup.fingerprintOf },
      sendCredential: (link, name) => this.#sendCredential(link, name),
      onAsked: (turn, device) => parts.onAsked(turn, device),
    });
    this.#watchGrace();
  }

  /** Storage failed and everything was read anew. */
  restore(stored: Parts['stored']): void {
    this.#registry.restore(stored);
  }

  /** What this start of the dispatcher was told; no secrets. */
  noteStart(details: Readonly<Record<string, unknown>>): void {
    this.#parts.engine().put({
      handle: (turn) => putOnRecord(turn, { eventType: 'dispatcher_started', actor: itself, details }),
      abort: () => undefined,
    });
  }

  /** Puts on record that somebody had what is old deleted. */
  notePruned(actor: Actor, details: Readonly<Record<string, unknown>>): Promise<void> {
    return this.#parts.inTurn((turn) => putOnRecord(turn, { eventType: 'pruned', actor, details }));
  }

  /** Before the last turn. */
  close(): void {
    this.#graceEnd?.cancel();
    this.#attempts.close();
  }

  /** The scheduler refused a worker that had passed the gate: there is another one of that id, or no room. */
  refused(link: DispatcherLink, workerId: string, { code }: JoinRefusal): void {
    this.#noteJoinRefused(link, workerId, { name: workerId, code });
  }

  /** A connection on the workers' port was turned away before it was known who it is. */
  turnedAway(from: string, reason: string): void {
    this.noteRefusal({ eventType: 'join_refused', actor: 'unknown', from, details: { reason } });
  }

  // ------------------------------------------------------------------------------------------------ the gate

  /** Takes a link of a device that is no member yet. */
  stranger(link: DispatcherLink): LinkHandlers<WorkerMessage> {
    return this.#admission.accept(link);
  }

  /** Why the member with this key may not join any more; null = it may. */
  shutOut(link: DispatcherLink): JoinRefusal | null {
    return keyRefusal(link, this.#registry.node(link.remoteKey));
  }

  /** Why this worker may not join; or the worker, by the name it is to have, which is then on record. */
  admit(turn: Turn, link: DispatcherLink, worker: WorkerDeclaration): JoinRefusal | WorkerDeclaration {
    const admitted = admitMember(turn, link, worker, {
      registry: this.#registry,
      fingerprintOf: this.#parts.setup.fingerprintOf,
      nameBarred: (name) => this.#admission.nameBarred(name),
    });
    if ('code' in admitted) this.#noteJoinRefused(link, worker.id, { name: worker.name, code: admitted.code });
    return admitted;
  }

  /** A worker is in: one that came by keys that will end gets those that will not. */
  welcomed(link: DispatcherLink): void {
    if (this.#isOutdated(link)) this.#sendCredential(link, null);
  }

  /** True for workers that are shut out: they are not shown any more. */
  isRevoked(publicKey: string): boolean {
    return (this.#registry.node(publicKey)?.revokedAt ?? null) !== null;
  }

  /** Nodes that have joined and are not shut out, as others may meet them. */
  *members(): Iterable<RosterEntry> {
    for (const { publicKey, name, workerId, revokedAt } of this.#registry.nodes) {
      if (workerId !== null && revokedAt === null) yield { id: workerId, name, publicKey };
    }
  }

  /** Grows whenever a node on record has changed. */
  get memberChanges(): number {
    return this.#registry.nodeChanges;
  }

  // ---------------------------------------------------------------------------------------------- the routes

  verifyToken(token: string): Identity {
    return this.#tokens.judge(token);
  }

  noteLogin(actor: Actor): void {
    this.#attempts.noteLogin(actor);
  }

  noteRefusal(refusal: Refusal): void {
    this.#attempts.noteRefusal(refusal);
  }

  createToken(request: Parameters<Trust['createToken']>[0], actor: Actor): Promise<CreatedToken> {
    return this.#parts.inTurn((turn) => this.#tokens.create(turn, request, actor));
  }

  tokens(): readonly TokenView[] {
    return this.#tokens.list();
  }

  revokeToken(idOrName: string, actor: Actor): Promise<TokenView> {
    return this.#parts.inTurn((turn) => this.#tokens.revoke(turn, idOrName, actor));
  }

  async createInvite(request: Parameters<Trust['createInvite']>[0], actor: Actor): Promise<CreatedInvite> {
    const sums = await this.#parts.setup.installer.sums();
    return this.#parts.inTurn((turn) => this.#invites.create(turn, request, { actor, sums }));
  }

  invites(): readonly InviteView[] {
    return this.#invites.list();
  }

  revokeInvite(id: string, actor: Actor): Promise<InviteView> {
    return this.#parts.inTurn((turn) => this.#invites.revoke(turn, id, actor));
  }

  approvals(): readonly ApprovalView[] {
    return this.#admission.list();
  }

  approve(codeOrId: string, actor: Actor): Promise<ApprovalView> {
    return this.#parts.inTurn((turn) => this.#admission.approve(turn, codeOrId, actor));
  }

  reject(codeOrId: string, actor: Actor): Promise<ApprovalView> {
    return this.#parts.inTurn((turn) => this.#admission.reject(turn, codeOrId, actor));
  }

  kick(workerId: string, actor: Actor): Promise<void> {
    return this.#parts.inTurn((turn) => {
      const publicKey = this.#parts.keyOf(workerId);
      if (publicKey === null) throw new OctasklyError('not_found', `There is no worker ${workerId}.`);
      const known = this.#registry.node(publicKey);
      if (known !== null && known.revokedAt !== null) return;
      // A worker of an older database is on record as a worker, not as a node.
      const how = { admittedBy: 'secret', inviteId: null, admittedAt: turn.wall } as const;
      const node = known ?? { publicKey, name: workerId, workerId, ...how };
      this.#registry.saveNode(turn, { ...node, revokedAt: turn.wall });
      const key = this.#parts.setup.fingerprintOf(publicKey);
      putOnRecord(turn, { eventType: 'worker_kicked', actor, workerId, details: { name: node.name, key } });
      const detail = `${actor.name} removed this node from the cluster. To let it in again: 'octaskly invite' on the dispatcher's machine, and here: octaskly worker --join TOKEN`;
      this.#parts.dismiss(turn.state, workerId, { code: 'revoked', detail });
      turn.apply({ kind: 'workerKicked', workerId, why: `worker ${node.name} was removed by ${actor.name}` });
    });
  }

  rotateSecret(graceMs: number, actor: Actor): Promise<number> {
    return this.#parts.inTurn((turn) => {
      const graceEndsAt = turn.wall + graceMs;
      this.#parts.setup.keyring.rotate(graceEndsAt);
      const details = { grace_ends_at: new Date(graceEndsAt).toISOString() };
      putOnRecord(turn, { eventType: 'secret_rotated', actor, details });
      this.#registry.endBy(turn, graceEndsAt);
      turn.afterwards(() => {
        for (const link of this.#parts.joined()) this.#sendCredential(link, null);
        this.#watchGrace();
      });
      return graceEndsAt;
    });
  }

  audit(...args: Parameters<Trust['audit']>): ReturnType<Trust['audit']> {
    return this.#parts.store.audit(...args);
  }

  verifyAudit(): ReturnType<Trust['verifyAudit']> {
    return this.#parts.store.verifyAudit();
  }

  // -------------------------------------------------------------------------------------------------- inside

  #noteJoinRefused(
    link: DispatcherLink,
    worker: string,
    { name, code }: { readonly name: string; readonly code: string },
  ): void {
    const key = this.#parts.setup.fingerprintOf(link.remoteKey);
    this.noteRefusal({
      eventType: 'join_refused',
      actor: name,
      from: link.remote,
      details: { reason: code, worker, key },
    });
  }

  #isOutdated({ admission }: DispatcherLink): boolean {
    const { keyring } = this.#parts.setup;
    const [present] = keyring.valid(this.#parts.clock.wall());
    return admission.by !== 'nothing' && admission.keyId !== present.id;
  }

  #sendCredential(link: DispatcherLink, name: string | null): void {
    const { keyring } = this.#parts.setup;
    const [keys] = keyring.valid(this.#parts.clock.wall());
    const { id: keyId, beaconKey } = keys;
    link.send({ kind: 'credential', keyId, psk: keys.nodePsk(link.remoteKey), beaconKey, name });
  }

  /** When the keys before the present ones end, so do the links that were made with them. */
  #watchGrace(): void {
    this.#graceEnd?.cancel();
    const at = this.#parts.setup.keyring.graceEndsAt();
    if (at === null) return;
    const { clock } = this.#parts;
    const delayMs = Math.min(Math.max(0, at - clock.wall()), timerMsMax);
    this.#graceEnd = clock.after(delayMs, () => {
      const { keyring } = this.#parts.setup;
      if (keyring.valid(clock.wall()).length > 1) {
        this.#watchGrace();
        return;
      }
      for (const link of this.#parts.joined()) {
        if (this.#isOutdated(link)) link.close('the cluster secret it joined with is not valid any more');
      }
    });
  }
}
