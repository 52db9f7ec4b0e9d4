/** What the dispatcher role gives to trust: the keyring, tokens signed with its keys, and where this machine is reached. */

import { signToken } from '../api/token.ts';
import { verifyToken } from '../api/token-verification.ts';
import type { DispatcherValues } from '../cli/options.ts';
import { originOf } from '../core/destination.ts';
import { inviteAddressesMax } from '../core/invite.ts';
import type { Installer } from '../dispatcher/trust/invites.ts';
import type { TokenSigner } from '../dispatcher/trust/tokens.ts';
import type { TrustSetup } from '../dispatcher/trust/trust.ts';
import type { Keyring } from '../ports/keys.ts';
import { hostsOf, placeOf } from '../runtime/addresses.ts';
import { systemRandom } from '../runtime/clock.ts';
import { fingerprintOf, sha256Hex } from '../runtime/keys.ts';

/** Tokens under the keys of the ring: signed with the present ones, good with all that are valid. */
function tokenSigner(keyring: Keyring): TokenSigner {
  const seconds = (wallMs: number): number => Math.floor(wallMs / 1000);
  return {
    sign({ id, name, role, issuedAt, expiresAt }) {
      const [keys] = keyring.valid(issuedAt);
      const times = { iat: seconds(issuedAt), exp: seconds(expiresAt) };
      return signToken({ jti: id, sub: name, role, iss: 'dispatcher', ...times }, (data) => keys.signToken(data));
    },
    verify(token, wallMs) {
      const [present, ...former] = keyring.valid(wallMs);
      let verified = verifyToken(token, { nowSeconds: wallMs / 1000, hmacSha256: (data) => present.signToken(data) });
      for (const keys of former) {
        if (verified.ok) break;
        const again = verifyToken(token, { nowSeconds: wallMs / 1000, hmacSha256: (data) => keys.signToken(data) });
        if (again.ok) verified = again;
      }
      return verified;
    },
    hash: sha256Hex,
  };
}

interface Served {
  readonly values: DispatcherValues;
  readonly keyring: Keyring;
  /** The dispatcher's public key, hex. */
  readonly publicKey: string;
  /** The ports that were really bound; known once everything listens. */
  port(): number;
  readonly installer: Installer;
}

export function trustSetup({ values, keyring, publicKey, port, installer }: Served): TrustSetup {
  return {
    ...{ keyring, installer },
    signer: tokenSigner(keyring),
    random: systemRandom,
    publicKey,
    fingerprintOf,
    allowWorkers: values.allowWorker,
    approvals: values.approvals,
    addresses: () =>
      hostsOf(values.bind)
        .slice(0, inviteAddressesMax)
        .map((host) => placeOf(host, port())),
  };
}

/** The settings of a start that go on record; none of them is secret. */
export function startDetails(values: DispatcherValues, { api }: { readonly api: string }): Record<string, unknown> {
  const { bind, port, requireAuth, maxWorkers, maxQueueSize, allowWorker, allowHost, allowOrigin, approvals, tls } =
    values;
  return {
    workers: placeOf(bind, port),
    api,
    require_auth: requireAuth,
    max_workers: maxWorkers,
    max_queue_size: maxQueueSize,
    submit_rate: values.submitRate,
    task_timeout: values.taskTimeoutMs / 1000,
    heartbeat_timeout: values.heartbeatTimeoutMs / 1000,
    retention: values.retentionMs / 1000,
    audit_retention: values.auditRetentionMs / 1000,
    ...(values.denyList === undefined ? {} : { deny_list: values.denyList }),
    approvals,
    tls: values.tlsCert === undefined ? tls : 'files',
    ...(allowWorker.length === 0 ? {} : { allow_worker: allowWorker }),
    ...(allowHost.length === 0 ? {} : { allow_host: allowHost }),
    // Where to, as far as that is no secret: the path of such an address often is.
    ...(values.notify.length === 0 ? {} : { notify: values.notify.map(originOf), notify_on: values.notifyOn }),
    ...(values.notifyAllow.length === 0 ? {} : { notify_allow: values.notifyAllow }),
    ...(allowOrigin.length === 0 ? {} : { allow_origin: allowOrigin }),
  };
}
