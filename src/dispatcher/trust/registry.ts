/**
 * Nodes, invites and tokens as they are on record, in memory for questions. Each change is stored with the turn it is
 * made in; later parts of the same turn see it already, so that an invite with one use is used once. When a turn cannot
 * be stored, everything is read anew.
 */

import type { InviteRecord, NodeRecord, TokenRecord } from '../../core/trust.ts';
import type { Loaded } from '../../ports/store.ts';
import type { Turn } from '../turn.ts';

type Stored = Pick<Loaded, 'nodes' | 'invites' | 'tokens'>;

export class Registry {
  /** By public key. */
  readonly #nodes = new Map<string, NodeRecord>();
  readonly #invites = new Map<string, InviteRecord>();
  readonly #tokens = new Map<string, TokenRecord>();
  /** How often a node was changed. */
  nodeChanges = 0;

  /** Called after each change of an invite. */
  onInvites: () => void = () => undefined;

  constructor(stored: Stored) {
    this.restore(stored);
  }

  restore({ nodes, invites, tokens }: Stored): void {
    this.nodeChanges += 1;
    this.#nodes.clear();
    this.#invites.clear();
    this.#tokens.clear();
    for (const node of nodes) this.#nodes.set(node.publicKey, node);
    for (const invite of invites) this.#invites.set(invite.id, invite);
    for (const token of tokens) this.#tokens.set(token.id, token);
    this.onInvites();
  }

  node(publicKey: string): NodeRecord | null {
    return this.#nodes.get(publicKey) ?? null;
  }

  /** The node whose worker has this id; one that is shut out no longer has it. */
  nodeOfWorker(workerId: string): NodeRecord | null {
    for (const node of this.#nodes.values()) {
      if (node.workerId === workerId && node.revokedAt === null) return node;
    }
    return null;
  }

  invite(id: string): InviteRecord | null {
    return this.#invites.get(id) ?? null;
  }

  token(id: string): TokenRecord | null {
    return this.#tokens.get(id) ?? null;
  }

  get nodes(): Iterable<NodeRecord> {
    return this.#nodes.values();
  }

  get invites(): readonly InviteRecord[] {
    return [...this.#invites.values()];
  }

  get tokens(): readonly TokenRecord[] {
    return [...this.#tokens.values()];
  }

  /** What was made with the secret before ends with it: tokens and invites that would be good for longer. */
  endBy(turn: Turn, wallMs: number): void {
    for (const record of this.tokens) {
      if (record.expiresAt === null || record.expiresAt > wallMs)
        this.saveToken(turn, { ...record, expiresAt: wallMs });
    }
    for (const record of this.invites) {
      if (record.expiresAt > wallMs) this.saveInvite(turn, { ...record, expiresAt: wallMs });
    }
  }

  saveNode(turn: Turn, record: NodeRecord): void {
    turn.change({ kind: 'node', record });
    this.nodeChanges += 1;
    this.#nodes.set(record.publicKey, record);
  }

  saveInvite(turn: Turn, record: InviteRecord): void {
    turn.change({ kind: 'invite', record });
    this.#invites.set(record.id, record);
    this.onInvites();
  }

  saveToken(turn: Turn, record: TokenRecord): void {
    turn.change({ kind: 'token', record });
    this.#tokens.set(record.id, record);
  }
}
