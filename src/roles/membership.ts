/**
 * By what a worker started here joins, where its dispatcher is, and how it gets a credential when it has nothing:
 *
 *   --join TOKEN          the credential got with this very token earlier (a service restarts with the same line), else
 *                         a new one is asked for with it
 *   a secret that is given    that, then the credential kept here: the secret may have been replaced since
 *   a kept credential         that, then the secret in the data directory: a dispatcher beside it may have a new one
 *   a secret in the data directory, where a dispatcher that starts beside the worker makes one
 *   nothing               asks to be approved, see `first-contact.ts`
 *
 * Whatever it was: a credential the dispatcher sends later is kept and comes first from then on.
 */

import { OctasklyError, reasonOf } from '../base/errors.ts';
import { type Address as GivenAddress, parseAddress } from '../cli/option.ts';
import type { WorkerValues } from '../cli/options.ts';
import { decodeInvite, type Invite } from '../core/invite.ts';
import type { Credential } from '../core/trust.ts';
import { type FoundDispatcher, placeText, type Sought } from '../discovery/service.ts';
import type { Links, Proof } from '../ports/links.ts';
import type { Log } from '../ports/time.ts';
import { systemClock, systemRandom } from '../runtime/clock.ts';
import { type KeptCluster, keepCluster, keptCluster } from '../runtime/cluster-file.ts';
import { type KeptCredential, keepCredential, keptCredential } from '../runtime/credential.ts';
import { storedSecret } from '../runtime/data-dir.ts';
import { fingerprintOf, invitePsk, keySet } from '../runtime/keys.ts';
import { version } from '../version.ts';
import { type Enrolled, enroll } from '../worker/joining.ts';
import type { WorkerParts } from '../worker/parts.ts';
import type { Address } from '../worker/redial.ts';
import { type Finder, whereaboutsOf } from './finding.ts';
import { firstContact } from './first-contact.ts';

/** What a worker is told about joining. */
export interface Membership extends Pick<WorkerParts, 'whereabouts' | 'proofs' | 'onCredential' | 'onAdmitted'> {
  /** What the dispatcher calls this worker unless it is told otherwise; null = as it likes. */
  readonly name: string | null;
}

/** The device that wants to join, and what it was told. */
export interface Applicant {
  readonly values: Pick<WorkerValues, 'join' | 'dispatcher' | 'port' | 'logFile' | 'logFormat'>;
  /** The cluster secret, where one was given. */
  readonly secret: string | null;
  readonly dataDir: string;
  /** The worker's folder. */
  readonly directory: string;
  /** Where the dispatcher was under an identity that was set aside, `host:port`. */
  readonly known: readonly string[];
  /** Name it would like to go by. */
  readonly name: string;
  /** Of this device, hex. */
  readonly publicKey: string;
  readonly links: Links;
  /** Looks for dispatchers; null = nobody does. */
  readonly finder: Finder | null;
  readonly log: Log;
  /** Gives up. */
  readonly signal: AbortSignal;
}

/** What a join token says. Error: `usage`. */
export function inviteIn(token: string): Invite {
  const decoded = decodeInvite(token);
  if (decoded.ok) return decoded.invite;
  throw new OctasklyError('usage', decoded.detail);
}

/** Settles by what the worker joins; waits for an approval if there is nothing else. Errors: `usage`, `io`, `forbidden`. */
export async function findMembership(
  applicant: Applicant,
): Promise<{ readonly ok: true; readonly membership: Membership } | Extract<Enrolled, { ok: false }>> {
  const { values, secret: given, directory, dataDir } = applicant;
  const kept = keptCredential(directory);
  const bySecret = (secret: string): Proof => ({ by: 'secret', psk: keySet(secret).psk });
  const settled = (proofs: readonly [Proof, ...Proof[]]) => {
    return { ok: true, membership: membershipOf(applicant, kept, proofs) } as const;
  };
  if (values.join !== undefined) {
    const invite = inviteIn(values.join);
    if (kept?.inviteId === invite.inviteId) return settled([byCredential(kept.credential)]);
    return afterEnrolment(applicant, await enrollBy(applicant, invite));
  }
  if (given !== null) return settled([bySecret(given), ...(kept === null ? [] : [byCredential(kept.credential)])]);
  if (kept !== null) {
    const beside = storedSecret(dataDir);
    return settled([byCredential(kept.credential), ...(beside === null ? [] : [bySecret(beside)])]);
  }
  const former = keptCluster(directory)?.dispatcherKey ?? null;
  const formerly = former === null ? null : fingerprintOf(former);
  const places = addressesOf(values, applicant.known);
  const start = await firstContact({ ...applicant, places, formerly });
  if (start.secret !== null) return settled([bySecret(start.secret)]);
  return afterEnrolment(applicant, await enrollBy(applicant, null, start.chosen));
}

/**
 * Asks for a credential with an invite, or (null) for an approval, and keeps it. `chosen`: the dispatcher that was found
 * to ask, where none is known.
 */
export async function enrollBy(
  applicant: Applicant,
  invite: Invite | null,
  chosen: FoundDispatcher | null = null,
): Promise<Enrolled> {
  const { values, directory, name, links, log, signal, finder } = applicant;
  const addresses = chosen?.places ?? addressesOf(values, invite?.addresses ?? applicant.known);
  const key = chosen?.fingerprint ?? (invite === null ? null : fingerprintOf(invite.dispatcherKey));
  if (key !== null) finder?.seek(key);
  const sought = key === null ? null : ({ by: 'fingerprint', fingerprint: key } as const);
  const enrolled = await enroll(
    { links, clock: systemClock, random: systemRandom, log },
    {
      proof: invite === null ? { by: 'nothing' } : proofOf(invite),
      whereabouts: whereaboutsOf({
        fixed: addresses,
        named: values.dispatcher.length > 0,
        finder,
        sought: () => sought,
        onFound: () => undefined,
      }),
      name,
      platform: process.platform,
      arch: process.arch,
      version,
      onCode: (code, expiresInMs) => showCode(applicant, code, expiresInMs),
      onStatus: (sentence) => log.info(sentence),
      signal,
    },
  );
  if (enrolled.ok) {
    const { credential, name: called, address } = enrolled;
    // The address that worked comes first; workers look on this machine without being told.
    const told = values.dispatcher.length > 0 || invite !== null || chosen !== null || applicant.known.length > 0;
    const known = firstOf(placeText(address), addresses.map(placeText));
    const inviteId = invite?.inviteId ?? null;
    keepCredential(directory, { credential, name: called, addresses: told ? known : [], inviteId });
    log.info('this device has its own credential now', { dispatcher: fingerprintOf(credential.dispatcherKey) });
  }
  return enrolled;
}

function proofOf({ inviteId, secret, dispatcherKey, sums }: Invite): Extract<Proof, { by: 'invite' }> {
  return { by: 'invite', inviteId, sums, psk: invitePsk(secret), dispatcherKey };
}

function byCredential({ psk, dispatcherKey }: Credential): Proof {
  return { by: 'credential', psk, dispatcherKey };
}

function afterEnrolment(applicant: Applicant, enrolled: Enrolled): Awaited<ReturnType<typeof findMembership>> {
  if (!enrolled.ok) return enrolled;
  const kept = keptCredential(applicant.directory);
  return { ok: true, membership: membershipOf(applicant, kept, [byCredential(enrolled.credential)]) };
}

function membershipOf(
  applicant: Applicant,
  kept: KeptCredential | null,
  known: readonly [Proof, ...Proof[]],
): Membership {
  const { values, directory, finder, log } = applicant;
  let proofs = known;
  let latest = kept;
  let sought = soughtBy(applicant, kept, known);
  const fixed = addressesOf(values, kept?.addresses ?? []);
  return {
    whereabouts: whereaboutsOf({
      ...{ fixed, named: values.dispatcher.length > 0, finder, sought: () => sought },
      onFound: (address) => {
        if (latest === null) return;
        latest = { ...latest, addresses: firstOf(placeText(address), latest.addresses) };
        try {
          keepCredential(directory, latest);
        } catch (error) {
          log.debug('cannot keep where the dispatcher is now', { reason: reasonOf(error) });
        }
      },
    }),
    name: kept?.name ?? null,
    proofs: () => proofs,
    onAdmitted: (proof, dispatcherKey) => {
      // Whoever let it in where it was told to dial is followed when it moves.
      sought ??= { by: 'fingerprint', fingerprint: fingerprintOf(dispatcherKey) };
      const beaconKey = beaconKeyOf(applicant, proof, latest?.credential ?? null);
      if (beaconKey !== null) noteCluster(applicant, { beaconKey, dispatcherKey });
    },
    onCredential: (credential) => {
      noteCluster(applicant, credential);
      proofs = [byCredential(credential), ...proofs.filter(({ by }) => by !== 'credential')];
      const given = values.dispatcher.length > 0 ? fixed.map(placeText) : [];
      latest = { ...(latest ?? { name: null, addresses: given, inviteId: null }), credential };
      try {
        keepCredential(directory, latest);
        log.info('the cluster secret was replaced; this device has a new credential');
      } catch (error) {
        log.error('cannot keep the new credential: after a restart this worker will not get in', {
          reason: reasonOf(error),
        });
      }
    },
  };
}

/** The beacon key of the cluster that let the worker in by this proof; null = it cannot be told. */
function beaconKeyOf({ secret, dataDir }: Applicant, proof: Proof, kept: Credential | null): Uint8Array | null {
  if (proof.by === 'credential') return kept?.beaconKey ?? null;
  if (proof.by !== 'secret') return null;
  const keys = [secret, storedSecret(dataDir)].filter((one) => one !== null).map(keySet);
  return keys.find(({ psk }) => Buffer.compare(psk, proof.psk) === 0)?.beaconKey ?? null;
}

/** Commands from this data directory speak to peers by it. */
function noteCluster({ directory, log }: Applicant, cluster: KeptCluster): void {
  try {
    keepCluster(directory, cluster);
  } catch (error) {
    log.warn('cannot keep the key of the cluster: "octaskly peers" and "run --p2p" may not work from here', {
      reason: reasonOf(error),
    });
  }
}

/** Where to dial: as given, else as known, else this machine. */
function addressesOf({ dispatcher, port }: Applicant['values'], known: readonly string[]): readonly Address[] {
  const parsed = known.flatMap((text): GivenAddress[] => {
    const address = parseAddress(text);
    return 'value' in address ? [address.value] : [];
  });
  const chosen = dispatcher.length > 0 ? dispatcher : parsed;
  const places = chosen.length > 0 ? chosen : [{ host: '127.0.0.1', port: null }];
  return places.map((address) => ({ host: address.host, port: address.port ?? port }));
}

/** Most addresses that are kept of a dispatcher. */
const keptAddressesMax = 8;

/** `place` in front of the others. */
function firstOf(place: string, others: readonly string[]): readonly string[] {
  return [place, ...others.filter((one) => one !== place)].slice(0, keptAddressesMax);
}

/** Which of the dispatchers that are found may be the right one; null = none is dialled. */
function soughtBy(
  { values, finder }: Applicant,
  kept: KeptCredential | null,
  [best]: readonly [Proof, ...Proof[]],
): Sought | null {
  const fingerprint = kept === null ? null : fingerprintOf(kept.credential.dispatcherKey);
  if (fingerprint !== null) finder?.seek(fingerprint);
  // A secret does not say whose key to expect: where somebody named the dispatcher, no other one is asked.
  if (best.by === 'secret' && values.dispatcher.length === 0) return { by: 'secret' };
  return fingerprint === null ? null : { by: 'fingerprint', fingerprint };
}

/** Tells the person at this device what to compare and what has to be done elsewhere, whatever the log is told to say. */
function showCode({ name, publicKey, values, log }: Applicant, code: string, expiresInMs: number): void {
  const key = fingerprintOf(publicKey);
  const approve = `octaskly approve ${code}`;
  const minutes = Math.round(expiresInMs / 60_000);
  const fields = { code, approve, key, minutes };
  if (values.logFormat === 'json' || values.logFile !== undefined) log.info('waiting to be approved', fields);
  if (values.logFormat === 'json' && values.logFile === undefined) return;
  process.stderr.write(
    `
This device asks to join as "${name}".

    code:        ${code.slice(0, 3)} ${code.slice(3)}
    device key:  ${key}

On the dispatcher's machine, where "octaskly approve" lists it: if the code is the same, let it in with:

    ${approve}

The code is valid for ${minutes < 1 ? 'less than a minute' : minutes === 1 ? 'one minute' : `${minutes} minutes`}. Waiting …

`,
  );
}
