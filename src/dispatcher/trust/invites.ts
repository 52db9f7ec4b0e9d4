/**
 * Invites: join tokens for new devices. The secret in a token is derived from the cluster secret and the invite's id, so
 * what is on record gives nobody entry.
 */

import type { CreatedInvite, InviteRequest, InviteView } from '../../api/trust-schemas.ts';
import { OctasklyError } from '../../base/errors.ts';
import { encodeInvite } from '../../core/invite.ts';
import type { Actor, InviteRecord, NodeRecord } from '../../core/trust.ts';
import type { Keyring } from '../../ports/keys.ts';
import type { Clock, Random } from '../../ports/time.ts';
import type { RefusalCode } from '../../wire/messages.ts';
import { putOnRecord } from '../record.ts';
import type { Turn } from '../turn.ts';
import type { Registry } from './registry.ts';

/** Invites that can be used at once. */
const validMax = 1000;
const idBytes = 8;

export interface InviteParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly registry: Registry;
  readonly keyring: Keyring;
  /** The dispatcher's public key, hex. */
  readonly publicKey: string;
  fingerprintOf(publicKey: string): string;
  /** `host:port` for workers, the likeliest to be reached first. */
  addresses(): readonly string[];
  /** Where other devices find the install script, and whether they can reach it. */
  installer(): { readonly url: string; readonly isReachable: boolean };
}

export class Invites {
  readonly #parts: InviteParts;

  constructor(parts: InviteParts) {
    this.#parts = parts;
  }

  create(turn: Turn, { uses, expires_in, name }: InviteRequest, actor: Actor): CreatedInvite {
    const { random, registry, keyring, publicKey, fingerprintOf } = this.#parts;
    if (name !== undefined && uses > 1) {
      throw new OctasklyError('invalid', `A name is for one device, but ${uses} may join with this invite.`, {
        fields: [{ path: 'name', message: `is given together with ${uses} uses` }],
      });
    }
    const valid = registry.invites.filter((record) => statusOf(record, turn.wall) === 'valid').length;
    if (valid >= validMax) {
      throw new OctasklyError('conflict', `${valid} invites can be used, which is the most there may be; revoke some.`);
    }
    const record: InviteRecord = {
      id: random.bytes(idBytes).toHex(),
      name: name ?? null,
      usesMax: uses,
      uses: 0,
      createdAt: turn.wall,
      createdBy: actor.name,
      expiresAt: turn.wall + expires_in * 1000,
      revokedAt: null,
    };
    registry.saveInvite(turn, record);
    const view = viewOf(record, turn.wall);
    putOnRecord(turn, {
      eventType: 'invite_created',
      actor,
      details: { invite: record.id, uses, expires_at: view.expires_at, ...(name === undefined ? {} : { name }) },
    });
    const addresses = [...this.#parts.addresses()];
    const [keys] = keyring.valid(turn.wall);
    const token = encodeInvite({
      inviteId: record.id,
      secret: keys.inviteSecret(record.id),
      dispatcherKey: publicKey,
      expiresAt: record.expiresAt,
      addresses,
    });
    const { url, isReachable } = this.#parts.installer();
    const install = `curl -fsSL ${url} | sh -s -- --join ${token}`;
    return { ...view, token, fingerprint: fingerprintOf(publicKey), addresses, install, install_works: isReachable };
  }

  revoke(turn: Turn, id: string, actor: Actor): InviteView {
    const record = this.#parts.registry.invite(id);
    if (record === null) throw new OctasklyError('not_found', `There is no invite "${id}".`);
    if (record.revokedAt !== null) return viewOf(record, turn.wall);
    const revoked = { ...record, revokedAt: turn.wall };
    this.#parts.registry.saveInvite(turn, revoked);
    putOnRecord(turn, { eventType: 'invite_revoked', actor, details: { invite: id } });
    return viewOf(revoked, turn.wall);
  }

  list(): readonly InviteView[] {
    const wall = this.#parts.clock.wall();
    return this.#parts.registry.invites.map((record) => viewOf(record, wall));
  }

  /**
   * Uses an invite up for a node, once: the same node may ask again when the answer was lost. Gives the invite, or why
   * it cannot be used.
   */
  use(
    turn: Turn,
    id: string,
    node: NodeRecord | null,
  ): InviteRecord | { readonly code: RefusalCode; readonly detail: string } {
    const record = this.#parts.registry.invite(id);
    if (record === null) {
      return { code: 'invite_unknown', detail: 'This join token is not on record here; ask for a new one.' };
    }
    const revoked = record.revokedAt === null ? null : new Date(record.revokedAt).toISOString();
    if (revoked !== null) {
      return { code: 'invite_unknown', detail: `This join token was revoked at ${revoked}; ask for a new one.` };
    }
    if (node?.inviteId === id && node.revokedAt === null) return record;
    if (record.uses >= record.usesMax) {
      const times = record.usesMax === 1 ? 'has been used' : `has been used ${record.uses} times`;
      return { code: 'invite_used', detail: `This join token ${times}, and may not be again; ask for a new one.` };
    }
    if (record.expiresAt <= turn.wall) {
      const at = new Date(record.expiresAt).toISOString();
      return { code: 'invite_expired', detail: `This join token expired at ${at}; ask for a new one.` };
    }
    const used = { ...record, uses: record.uses + 1 };
    this.#parts.registry.saveInvite(turn, used);
    return used;
  }
}

function statusOf({ uses, usesMax, expiresAt, revokedAt }: InviteRecord, wall: number): InviteView['status'] {
  if (revokedAt !== null) return 'revoked';
  if (uses >= usesMax) return 'used';
  return expiresAt <= wall ? 'expired' : 'valid';
}

function viewOf(record: InviteRecord, wall: number): InviteView {
  const { id, name, uses, usesMax, createdAt, createdBy, expiresAt } = record;
  return {
    id,
    name,
    status: statusOf(record, wall),
    uses,
    uses_max: usesMax,
    created_at: new Date(createdAt).toISOString(),
    created_by: createdBy,
    expires_at: new Date(expiresAt).toISOString(),
  };
}
