/**
 * Whether a dispatcher that was found has the key it announces. Anybody on the network can announce anybody's fingerprint;
 * only the owner of the key completes a handshake with it (Noise Protocol Framework section 7.5, pattern XX). Nothing is
 * told or asked in that handshake: it is made with a key drawn for it, and ended before the first message.
 *
 * It does not show that an API beside it is the same dispatcher's, nor that nobody passes on what is said.
 */

import type { FoundDispatcher, Place } from '../discovery/service.ts';
import type { Links } from '../ports/links.ts';
import { nativeCrypto } from '../runtime/crypto.ts';
import { fingerprintOf } from '../runtime/keys.ts';
import { createLinks } from '../runtime/links.ts';

/** How long a handshake may take, ms: a loaded Raspberry Pi needs a tenth of it. */
const handshakeTimeoutMs = 1500;

/** The places where the key that `dispatcher` announces has been shown, in the order announced. Never rejects. */
export async function provenPlaces({ places, fingerprint }: FoundDispatcher): Promise<readonly Place[]> {
  const staticKeypair = nativeCrypto.generateKeypair();
  const links = createLinks({ crypto: nativeCrypto, staticKeypair, limits: { handshakeTimeoutMs } });
  const shown = await Promise.all(places.map(async (place) => (await keyAt(place, links)) === fingerprint));
  return places.filter((_, index) => shown[index] === true);
}

/** The fingerprint of whoever answers there; null = nobody, or nobody who can complete the handshake. */
async function keyAt({ host, port }: Place, links: Links): Promise<string | null> {
  const dialled = await links.dial({ host, port, proof: { by: 'nothing' } }, (link) => {
    link.close('only its key was asked for');
    return { onMessage: () => undefined, onDrain: () => undefined, onEnd: () => undefined };
  });
  return dialled.ok ? fingerprintOf(dialled.link.remoteKey) : null;
}
