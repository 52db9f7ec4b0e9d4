/**
 * Access tokens that were given out: making, listing, revoking, judging. How a token is signed and read comes in from
 * outside; here is what is on record of it. A token is shown once; its hash is kept.
 */

import type { Identity } from '../../api/access.ts';
import type { CreatedToken, TokenRequest, TokenView } from '../../api/trust-schemas.ts';
import { present } from '../../base/assert.ts';
import { OctasklyError } from '../../base/errors.ts';
import type { Actor, Role, TokenRecord } from '../../core/trust.ts';
import type { Clock, Random } from '../../ports/time.ts';
import { putOnRecord } from '../record.ts';
import type { Turn } from '../turn.ts';
import type { Registry } from './registry.ts';

/** Tokens that are valid at once. */
const validMax = 10_000;
const idBytes = 12;

/** What a token says, once it is known to be genuine and valid by its times. */
export interface Claims {
  readonly sub: string;
  readonly role: Role;
  /** `owner`: signed by somebody who can read the secret, for a short time; nothing of it is on record. */
  readonly iss?: 'owner' | 'dispatcher' | undefined;
  readonly jti?: string | undefined;
  /** Seconds since 1970 at which it ends. */
  readonly exp: number;
}

/** Signing and reading of tokens under the keys that are valid at a time. */
export interface TokenSigner {
  /** `expiresAt` in wall-clock ms. */
  sign(claims: { id: string; name: string; role: Role; issuedAt: number; expiresAt: number }): string;
  verify(
    token: string,
    wallMs: number,
  ): { readonly ok: true; readonly claims: Claims } | { readonly ok: false; readonly reason: string };
  /** SHA-256 of a text, hex. */
  hash(text: string): string;
}

interface Parts {
  readonly clock: Clock;
  readonly random: Random;
  readonly registry: Registry;
  readonly signer: TokenSigner;
}

export class Tokens {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  judge(token: string): Identity {
    const { clock, registry, signer } = this.#parts;
    const verified = signer.verify(token, clock.wall());
    if (!verified.ok) return verified;
    const { sub: name, role, iss, jti, exp } = verified.claims;
    const identity = { ok: true, name, role, expiresAt: exp * 1000 } as const;
    if (iss === 'owner') return identity;
    const record = jti === undefined ? null : registry.token(jti);
    if (record === null || record.hash !== signer.hash(token)) {
      return { ok: false, reason: 'The token is not on record here.' };
    }
    if (record.revokedAt !== null) return { ok: false, reason: 'The token was revoked.' };
    return identity;
  }

  create(turn: Turn, { name, role, expires_in }: TokenRequest, actor: Actor): CreatedToken {
    const { random, registry, signer } = this.#parts;
    const valid = registry.tokens.filter((record) => statusOf(record, turn.wall) === 'valid').length;
    if (valid >= validMax) {
      throw new OctasklyError('conflict', `${valid} tokens are valid, which is the most there may be; revoke some.`);
    }
    const id = random.bytes(idBytes).toHex();
    const expiresAt = turn.wall + expires_in * 1000;
    const token = signer.sign({ id, name, role, issuedAt: turn.wall, expiresAt });
    const hash = signer.hash(token);
    const record = { id, name, role, hash, createdAt: turn.wall, expiresAt, revokedAt: null };
    registry.saveToken(turn, record);
    putOnRecord(turn, {
      eventType: 'token_created',
      actor,
      details: { token: id, name, role, expires_at: new Date(expiresAt).toISOString() },
    });
    return { ...viewOf(record, turn.wall), token };
  }

  /** By id; by name all that are valid: whoever bears the name has lost them. Gives the one made last. */
  revoke(turn: Turn, idOrName: string, actor: Actor): TokenView {
    const found = this.#find(idOrName, turn.wall);
    for (const record of found) {
      if (record.revokedAt !== null) continue;
      this.#parts.registry.saveToken(turn, { ...record, revokedAt: turn.wall });
      const { id, name, role } = record;
      putOnRecord(turn, { eventType: 'token_revoked', actor, details: { token: id, name, role } });
    }
    const last = present(found.at(-1), 'a token that was found');
    return viewOf({ ...last, revokedAt: last.revokedAt ?? turn.wall }, turn.wall);
  }

  list(): readonly TokenView[] {
    const wall = this.#parts.clock.wall();
    return this.#parts.registry.tokens.map((record) => viewOf(record, wall));
  }

  /** At least one, in the order in which they were made. */
  #find(idOrName: string, wall: number): readonly TokenRecord[] {
    const byId = this.#parts.registry.token(idOrName);
    if (byId !== null) return [byId];
    const named = this.#parts.registry.tokens.filter(({ name }) => name === idOrName);
    if (named.length === 0) throw new OctasklyError('not_found', `There is no token "${idOrName}".`);
    const valid = named.filter((record) => statusOf(record, wall) === 'valid');
    return (valid.length === 0 ? named : valid).toSorted((a, b) => a.createdAt - b.createdAt);
  }
}

function statusOf({ expiresAt, revokedAt }: TokenRecord, wall: number): TokenView['status'] {
  if (revokedAt !== null) return 'revoked';
  return expiresAt !== null && expiresAt <= wall ? 'expired' : 'valid';
}

function viewOf(record: TokenRecord, wall: number): TokenView {
  const { id, name, role, createdAt, expiresAt, revokedAt } = record;
  const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());
  return {
    id,
    name,
    role,
    status: statusOf(record, wall),
    created_at: new Date(createdAt).toISOString(),
    expires_at: iso(expiresAt),
    revoked_at: iso(revokedAt),
  };
}
