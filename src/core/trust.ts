/**
 * Who may join and who may ask, as data: roles of people and programs, nodes with their keys, invites, tokens. Nothing here
 * is a secret: of a token a hash is kept, and the secrets of invites and nodes are derived from the cluster secret
 * whenever they are needed.
 *
 *   secret ──HKDF, a label each──> pre-shared key of those who hold it    key that signs tokens    key of beacons
 *                                  key of one node (by its public key)    secret of one invite (by its id)
 */

/** What a token says its bearer is. What each may do is in `api/access.ts`. */
export const roles = ['admin', 'dispatcher', 'worker', 'client'] as const;
export type Role = (typeof roles)[number];

/** Who asks: for the record, for limits, and for what is shown. */
export interface Actor {
  /** Subject of its token; `local` for a call from this machine, `owner` for who can read the secret. */
  readonly name: string;
  readonly role: Role;
  /** Address it called from; null = not known. */
  readonly from: string | null;
}

/** The subjects that stand for whoever owns the dispatcher; no token may be given out in these names. */
export const ownNames = ['local', 'owner', 'anonymous', 'dispatcher'] as const;

/** Whose tasks an actor sees and changes; null = everybody's. */
export function scopeOf(actor: Pick<Actor, 'name' | 'role'>): string | null {
  return actor.role === 'client' ? actor.name : null;
}

/** Whose a task is that this actor submits; null = the cluster owner's. */
export function ownerOf(actor: Pick<Actor, 'name'>): string | null {
  return (ownNames as readonly string[]).includes(actor.name) ? null : actor.name;
}

/** A node that may join or might: known by its public key. Times are wall-clock ms. */
export interface NodeRecord {
  /** X25519, 32 bytes in lower-case hex. */
  readonly publicKey: string;
  /** As it called itself last. */
  readonly name: string;
  /** The worker that uses the key; null before it has joined. A key stays with its worker and a worker with its key. */
  readonly workerId: string | null;
  /** What let it in. */
  readonly admittedBy: 'secret' | 'invite' | 'approval';
  readonly inviteId: string | null;
  readonly admittedAt: number;
  /** Since when it is shut out. */
  readonly revokedAt: number | null;
}

export interface InviteRecord {
  /** 8 bytes in hex; public. */
  readonly id: string;
  /** Name for the node that uses it; only with one use. */
  readonly name: string | null;
  readonly usesMax: number;
  readonly uses: number;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly expiresAt: number;
  readonly revokedAt: number | null;
}

export interface TokenRecord {
  /** `jti` of the token. */
  readonly id: string;
  /** `sub` of the token. */
  readonly name: string;
  readonly role: Role;
  /** SHA-256 of the whole token, hex. */
  readonly hash: string;
  readonly createdAt: number;
  /** Null = never. */
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
}

/** What a node keeps to come back with. `psk` and `beaconKey` are secret, 32 bytes each. */
export interface Credential {
  /** Names the cluster secret it was derived from. */
  readonly keyId: string;
  /** Of use together with this node's private key only. */
  readonly psk: Uint8Array;
  readonly beaconKey: Uint8Array;
  /** The dispatcher's public key, hex: nobody else is believed. */
  readonly dispatcherKey: string;
}

/** One entry of the record; `timestamp` is wall-clock ms, `details` JSON of an object or ''. */
export interface AuditEntry {
  readonly id: number;
  readonly timestamp: number;
  /** `task_submitted`, `worker_kicked` …; the list is in `docs/SECURITY.md`. */
  readonly eventType: string;
  readonly actor: string;
  readonly workerId: string | null;
  readonly taskId: string | null;
  readonly details: string;
  readonly previousHash: string;
}

/** What a check of the whole record found: nothing, or the first entry that is not as it was written. */
export type AuditFinding =
  | {
      readonly ok: true;
      readonly entries: number;
      /** Present when earlier ones were deleted by retention: the last of them, and when it went, wall ms. */
      readonly cut?: { readonly through: number; readonly at: number };
    }
  | {
      readonly ok: false;
      readonly entries: number;
      /** The entry that was changed, removed or moved. */
      readonly id: number;
      readonly what: 'changed' | 'removed' | 'reordered';
      /** A sentence. */
      readonly detail: string;
    };
