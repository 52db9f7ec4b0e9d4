/**
 * How the opening of a session (`opening.ts`) comes to nothing, and the sentences on it: of what one side finds wrong, and of
 * what the other side says is.
 */

import { unreachable } from '../base/assert.ts';
import type { Proof } from './admission.ts';
import type { DeclineReason } from './hello.ts';

/** It came to nothing; `detail` is a sentence for people. */
export interface Unopened {
  readonly kind: 'unopened';
  readonly code: 'wrong_secret' | 'wrong_key' | 'version_mismatch' | 'malformed' | 'forged' | 'refused';
  readonly detail: string;
}

/** What a claim says, as the end of a sentence that begins with "It". */
export const claimed = {
  nothing: 'has nothing to show',
  secret: 'claims to know the cluster secret',
  credential: 'claims to have a credential',
  invite: 'claims to have a join token',
  peer: 'comes as a peer',
} as const;

/** What is wrong with a proof that does not hold: said of the other side, and of oneself. */
export const wrongProof = {
  secret: {
    there: 'The other side does not know the cluster secret.',
    here: 'The other side says that this side does not know the cluster secret.',
  },
  credential: {
    there: 'The other side has no valid credential of this cluster.',
    here: "The other side says that this node's credential is not valid (any more).",
  },
  invite: {
    there: 'The other side has no valid join token of this cluster.',
    here: 'The other side says that this join token is not one of its own.',
  },
  peer: {
    there: 'The other side is no member of this cluster.',
    here: 'The other side says that this node is no member of its cluster.',
  },
} as const;

/** What the other side's decline means to the dialler with this proof. */
export function declined(reason: DeclineReason, proof: Proof): Unopened {
  switch (reason) {
    case 'version_mismatch':
      return unopened('version_mismatch', 'The other side does not speak this version of the protocol.');
    case 'wrong_secret':
      return unopened('wrong_secret', wrongProof[proof.by === 'nothing' ? 'secret' : proof.by].here);
    case 'refused':
      return unopened(
        'refused',
        proof.by === 'nothing'
          ? 'The other side takes no node that has neither the cluster secret nor a join token.'
          : 'The other side refuses this connection.',
      );
    default:
      return unreachable(reason);
  }
}

/** The end of an opening that came to nothing. */
export function unopened(code: Unopened['code'], detail: string): Unopened {
  return { kind: 'unopened', code, detail };
}
