/** A dispatcher with links of members, invited devices and strangers, for tests of who may join and what becomes of it. */

import type { AuditEntry } from '../../../src/core/trust.ts';
import { Dispatcher } from '../../../src/dispatcher/dispatcher.ts';
import type { TrustSetup } from '../../../src/dispatcher/trust/trust.ts';
import type { Admission, DispatcherLink, LinkHandlers } from '../../../src/ports/links.ts';
import type { Change } from '../../../src/ports/store.ts';
import type { DispatcherMessage, WorkerMessage } from '../../../src/wire/messages.ts';
import { MemoryBlobs } from '../../memory-blobs.ts';
import { owner, PlainKeyring, plainTrust } from '../../plain-trust.ts';
import { declaration, policy } from '../core/samples.ts';
import { ManualClock } from '../manual-clock.ts';
import { FakeOutputs, FakeStore, silentLog } from './fakes.ts';

export const bySecret: Admission = { by: 'secret', keyId: '00000000' };
export const byCredential: Admission = { by: 'credential', keyId: '00000000' };
export const enroll = { kind: 'enroll', name: 'pi', platform: 'linux', arch: 'arm64', version: '0.1.0' } as const;

export class Peer implements DispatcherLink {
  readonly congested = false;
  readonly blobsCongested = false;
  readonly heard: DispatcherMessage[] = [];
  closed: string | null = null;
  readonly remote: string;
  readonly remoteKey: string;
  readonly admission: Admission;
  readonly #bench: Bench;
  readonly #handlers: LinkHandlers<WorkerMessage>;

  constructor(bench: Bench, given: { admission: Admission; key?: string; address?: string }) {
    this.#bench = bench;
    this.admission = given.admission;
    this.remoteKey = given.key ?? 'key of pi';
    this.remote = `${given.address ?? '192.0.2.1'}:5`;
    this.#handlers = bench.dispatcher.accept(this);
  }

  send(message: DispatcherMessage): void {
    if (this.closed === null) this.heard.push(message);
  }

  giveUp(detail: string): void {
    this.close(detail);
  }

  close(detail: string): void {
    if (this.closed !== null) return;
    this.closed = detail;
    this.#handlers.onEnd({ code: 'closed', detail });
  }

  say(message: WorkerMessage): this {
    this.#handlers.onMessage(message);
    this.#bench.clock.settle();
    return this;
  }

  /** Why it was refused, if it was. */
  get refusal(): string | null {
    const last = this.heard.at(-1);
    return last?.kind === 'refused' ? last.code : null;
  }

  kinds(): string[] {
    return this.heard.splice(0).map(({ kind }) => kind);
  }
}

export class Bench {
  readonly clock = new ManualClock();
  readonly store = new FakeStore();
  readonly keyring = new PlainKeyring();
  readonly dispatcher: Dispatcher;

  constructor(given: Partial<TrustSetup> = {}) {
    const { clock, store, keyring } = this;
    const parts = { clock, store, outputs: new FakeOutputs(), blobs: new MemoryBlobs(), log: silentLog };
    const trust = plainTrust({ keyring, ...given });
    const cluster = {
      ...{ clusterId: '00112233445566ff', peersAllowed: true, node: { id: 'd1', name: 'dispatcher' } },
      roster: { save: () => undefined },
    };
    this.dispatcher = new Dispatcher({ ...parts, ...cluster, version: '0.1.0', runId: 'run1', policy, trust });
  }

  get trust(): Dispatcher['trust'] {
    return this.dispatcher.trust;
  }

  peer(admission: Admission, key?: string, address?: string): Peer {
    return new Peer(this, { admission, ...(key === undefined ? {} : { key }), ...(address ? { address } : {}) });
  }

  join(id: string, { admission = bySecret, key = `key of ${id}`, name = id } = {}): Peer {
    const peer = this.peer(admission, key);
    return peer.say({ kind: 'join', worker: declaration(id, { name }), held: [] });
  }

  asks(code: string, key = `key ${code}`, address?: string): Peer {
    return this.peer({ by: 'nothing', code }, key, address).say(enroll);
  }

  invited(inviteId: string, key?: string): Peer {
    return this.peer({ by: 'invite', inviteId, keyId: '00000000' }, key).say(enroll);
  }

  async do<T>(action: Promise<T>): Promise<T> {
    // An invitation asks for the sums of the programs before it takes its turn.
    for (let step = 0; step < 3; step++) await Promise.resolve();
    this.clock.settle();
    return await action;
  }

  async invite(request: { uses?: number; expires_in?: number; name?: string } = {}): Promise<string> {
    const made = await this.do(this.trust.createInvite({ uses: 1, expires_in: 3600, ...request }, owner));
    return made.id;
  }

  /** Entries put on record since the last look. */
  record(): Pick<AuditEntry, 'eventType' | 'actor' | 'workerId' | 'taskId' | 'details'>[] {
    const changes: Change[] = this.store.commits.splice(0).flat();
    return changes.filter((change) => change.kind === 'audit');
  }

  events(): string[] {
    return this.record().map(({ eventType, actor }) => `${eventType} by ${actor}`);
  }
}
