/** The token that the owner of a data directory needs not ask for: whoever can read its secret may sign one. */

import { signToken } from '../api/token.ts';
import { storedSecret } from '../runtime/data-dir.ts';
import { keySet, tokenId } from '../runtime/keys.ts';
import { givenEnvironment } from '../runtime/own-secrets.ts';

/** How long such a token lives, s. */
const ownTokenSeconds = 12 * 3600;

/** A token signed with the secret of the data directory, or that of the environment; null when there is none. */
export function localToken(dataDir: string): string | null {
  const secret = givenEnvironment().OCTASKLY_SECRET ?? storedSecret(dataDir);
  if (secret === null || secret === '') return null;
  const now = Math.floor(Date.now() / 1000);
  const claims: Parameters<typeof signToken>[0] = {
    sub: 'owner',
    role: 'admin',
    iss: 'owner',
    iat: now,
    exp: now + ownTokenSeconds,
    jti: tokenId(),
  };
  return signToken(claims, keySet(secret).signToken);
}
