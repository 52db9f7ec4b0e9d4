/**
 * Invites: join tokens for new devices. The secret in a token is derived from the cluster secret and the invite's id, so
 * what is on record gives nobody entry.
 */

import type { CreatedInvite, InviteRequest, InviteView } from '../../api/trust-schemas.ts';
import { OctasklyError } from '../../base/errors.ts';
import { type InstallPlace, installLines } from '../../core/install-script.ts';
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
  readonly installer: Installer;
}

/** How new devices get the program. */
export interface Installer {
  /**
   * SHA-256 (hex) of the sums of the programs that are handed out, for join tokens; or why none is, a whole sentence.
   * Never rejects.
   */
  sums(): Promise<HandedOutSums>;
  /** Invitations are open until then, wall ms; null = none is. */
  openUntil(wallMs: number | null): void;
  /** What to say of it in an invitation that is open. */
  offer(): InstallOffer;
}

/** `targets`: what they are of, as `core/targets.ts` names them. */
export type HandedOutSums =
  | { readonly digest: string; readonly targets: readonly string[] }
  | { readonly digest: null; readonly problem: string };

export interface InstallOffer extends InstallPlace {
  /** Why other devices do not reach it, and what to do, whole sentences; null = they do. */
  readonly problem: string | null;
  /** SHA-256 (hex) of the script for shells as it is handed out there. */
  readonly scriptSha256: string;
}

export class Invites {
  readonly #parts: InviteParts;

  constructor(parts: InviteParts) {
    this.#parts = parts;
  }

  /** `sums`: what `Installer.sums` gave just before. */
  create(turn: Turn, request: InviteRequest, { actor, sums }: { actor: Actor; sums: HandedOutSums }): CreatedInvite {
    const { uses, expires_in, name } = request;
    const { random, registry, fingerprintOf, publicKey } = this.#parts;
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
    const token = this.#tokenOf(record, addresses, sums.digest);
    const fingerprint = fingerprintOf(publicKey);
    return { ...view, token, fingerprint, addresses, ...this.#installation(token, sums) };
  }

  #tokenOf({ id, expiresAt }: InviteRecord, addresses: readonly string[], sums: string | null): string {
    const { keyring, clock, publicKey } = this.#parts;
    const [keys] = keyring.valid(clock.wall());
    const secret = keys.inviteSecret(id, sums);
    return encodeInvite({ inviteId: id, secret, dispatcherKey: publicKey, expiresAt, addresses, sums });
  }

  #installation(token: string, sums: HandedOutSums) {
    const offer = this.#parts.installer.offer();
    const problem = sums.digest === null ? sums.problem : offer.problem;
    const lines = installLines(offer, token);
    return {
      ...{ install: lines.sh, install_windows: lines.ps1 },
      ...{ install_works: problem === null, install_problem: problem },
      install_targets: sums.digest === null ? [] : [...sums.targets],
      install_sha256: offer.scriptSha256,
    };
  }

  /** Until when the last of the invites that can be used now can be, wall ms; null = there is none. */
  openUntil(): number | null {
    const wall = this.#parts.clock.wall();
    const open = this.#parts.registry.invites.filter((record) => statusOf(record, wall) === 'valid');
    return open.length === 0 ? null : Math.max(...open.map(({ expiresAt }) => expiresAt));
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
