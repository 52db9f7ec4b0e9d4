/**
 * How new devices get the program of a dispatcher, put together: what is handed out, where it is reached, and the listener
 * that is open while an invitation is.
 */

import { X509Certificate } from 'node:crypto';
import type { Installs } from '../api/installs.ts';
import { reasonOf } from '../base/errors.ts';
import { isLoopbackHost } from '../base/place.ts';
import type { DispatcherValues } from '../cli/options.ts';
import { targetsIn } from '../core/targets.ts';
import type { Installer, InstallOffer } from '../dispatcher/trust/invites.ts';
import { hostsOf, placeOf } from '../runtime/addresses.ts';
import { localUrlOf } from '../runtime/api-address.ts';
import { sha256Hex } from '../runtime/keys.ts';
import type { InstallListener } from './install-listener.ts';

/** What curl's --pinnedpubkey takes for a certificate: the SHA-256 of its public key in its SPKI form (RFC 7469, 2.4). */
export function pinOf(certificate: string): string {
  const key = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
  return `sha256//${Buffer.from(sha256Hex(key), 'hex').toString('base64')}`;
}

interface Parts {
  readonly values: Pick<DispatcherValues, 'bind' | 'installListener'>;
  readonly installs: Pick<Installs, 'sums' | 'script'>;
  readonly listener: Pick<InstallListener, 'openUntil' | 'place'>;
  readonly pin: string | null;
  readonly api: { readonly scheme: 'http' | 'https'; readonly bind: string; readonly port: number };
}

/** What the dispatcher asks when it makes an invitation. */
export function installerOf({ values, installs, listener, pin, api }: Parts): Installer {
  /** Others reach the API itself: it has the same routes. */
  const isOpen = !isLoopbackHost(api.bind);
  const offer = (base: string, problem: string | null): InstallOffer => ({
    ...{ base, pin, problem },
    scriptSha256: sha256Hex(installs.script('sh', base)),
  });
  return {
    async sums() {
      try {
        const sums = await installs.sums();
        return { digest: sha256Hex(sums), targets: targetsIn(sums) };
      } catch (error) {
        return { digest: null, problem: reasonOf(error) };
      }
    },
    openUntil: (wallMs) => listener.openUntil(values.installListener && !isOpen ? wallMs : null),
    offer() {
      const { scheme, bind, port } = api;
      const here = localUrlOf(scheme, bind, port);
      const [host = bind] = hostsOf(bind);
      if (isOpen && !isLoopbackHost(host)) return offer(`${scheme}://${placeOf(host, port)}`, null);
      if (isLoopbackHost(values.bind)) {
        return offer(
          here,
          `It works on this machine only, since workers are taken from here only (--bind ${values.bind}).`,
        );
      }
      const open = 'start the dispatcher with --api-bind 0.0.0.0 or --require-auth true';
      if (!values.installListener) {
        return offer(here, `It works on this machine only (--no-install-listener): leave that out, or ${open}.`);
      }
      const { place } = listener;
      if (place.url !== null) return offer(place.url, null);
      return offer(
        here,
        `It works on this machine only, since ${place.reason.replace(/\.$/, '')}. Mend that, or ${open}.`,
      );
    },
  };
}
