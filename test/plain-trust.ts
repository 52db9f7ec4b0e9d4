/** The keys and surroundings of a dispatcher for tests that are about something else, and for those that look at trust: nothing is secret here. */

import { OctasklyError } from '../src/base/errors.ts';
import type { Actor, Role } from '../src/core/trust.ts';
import type { TokenSigner } from '../src/dispatcher/trust/tokens.ts';
import type { TrustSetup } from '../src/dispatcher/trust/trust.ts';
import type { Keyring, KeySet } from '../src/ports/keys.ts';
import type { Random } from '../src/ports/time.ts';

/** Whoever owns the dispatcher. */
export const owner: Actor = { name: 'local', role: 'admin', from: '127.0.0.1' };

export function client(name: string): Actor {
  return { name, role: 'client', from: '192.0.2.7' };
}

const padded = (text: string, length: number): Uint8Array =>
  new TextEncoder().encode(text.padEnd(length, '.').slice(0, length));

function plainKeys(id: string): KeySet {
  return {
    id,
    psk: padded(`psk ${id}`, 32),
    beaconKey: padded(`beacons ${id}`, 32),
    notifyKey: `notify ${id}`,
    nodePsk: (publicKey) => padded(`node ${id} ${publicKey}`, 32),
    inviteSecret: (invite, sums) => padded(`${id}${invite}${sums ?? ''}`, 16),
    signToken: (data) => data,
  };
}

/** Keys that are named by how often they were replaced. */
export class PlainKeyring implements Keyring {
  #present = plainKeys('00000000');
  #former: { readonly keys: KeySet; readonly endsAt: number } | null = null;
  rotations = 0;

  valid(wallMs: number): readonly [KeySet, ...KeySet[]] {
    const former = this.#former;
    return former === null || former.endsAt <= wallMs ? [this.#present] : [this.#present, former.keys];
  }

  graceEndsAt(): number | null {
    return this.#former?.endsAt ?? null;
  }

  rotate(endsAt: number): void {
    this.rotations += 1;
    this.#former = { keys: this.#present, endsAt };
    this.#present = plainKeys(String(this.rotations).padStart(8, '0'));
  }
}

/** Tokens are their claims in JSON. */
const plainSigner: TokenSigner = {
  sign: ({ id, name, role, expiresAt }) =>
    JSON.stringify({ jti: id, sub: name, role, iss: 'dispatcher', exp: expiresAt }),
  verify(token, wallMs) {
    const claims = JSON.parse(token) as { jti: string; sub: string; role: Role; iss: 'dispatcher'; exp: number };
    return claims.exp > wallMs ? { ok: true, claims } : { ok: false, reason: 'The token has expired.' };
  },
  hash: (text) => `hash of ${text}`,
};

/** Bytes that count up: 0, 0, … 0, 1, then 2 and so on. */
function counting(): Random {
  let next = 0;
  return {
    bytes(count) {
      next += 1;
      const bytes = new Uint8Array(count);
      new DataView(bytes.buffer).setUint32(count - 4, next);
      return bytes;
    },
  };
}

export function plainTrust(given: Partial<TrustSetup> = {}): TrustSetup & { readonly keyring: Keyring } {
  return {
    keyring: new PlainKeyring(),
    signer: plainSigner,
    random: counting(),
    publicKey: 'd'.repeat(64),
    fingerprintOf: (key) => `print of ${key}`,
    addresses: () => ['192.0.2.1:7878'],
    installer: {
      sums: async () => ({ digest: 'ab'.repeat(32), targets: ['linux-x64'] }),
      openUntil: () => undefined,
      offer: () => ({ base: 'http://192.0.2.1:3000', pin: null, problem: null, scriptSha256: 'cd'.repeat(32) }),
    },
    allowWorkers: [],
    approvals: true,
    ...given,
  };
}

/** Members of the `Store` port that most tests never call. */
export const noRecord = {
  audit: (): never => {
    throw new OctasklyError('internal', 'this test does not read the record');
  },
  verifyAudit: (): never => {
    throw new OctasklyError('internal', 'this test does not check the record');
  },
};
