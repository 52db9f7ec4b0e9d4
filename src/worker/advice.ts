/** What people are told when a link fails because of who the two sides are: what is, and what to do about it. */

import type { LinkEnd, Proof } from '../ports/links.ts';

/** Trying the same again is of no use: one of the two sides has to be changed first. */
export function isHopeless({ code }: LinkEnd): boolean {
  return code === 'wrong_secret' || code === 'wrong_key' || code === 'version_mismatch';
}

/** The sentence on how a link shown `proof` ended, with the advice that goes with it. */
export function sentenceOn({ code, detail }: LinkEnd, { by }: Proof): string {
  if (code === 'wrong_secret') return `${detail} ${onSecret[by]}`;
  return code === 'wrong_key' ? `${detail} ${onKey[by]}` : detail;
}

/** A proof in words. */
export function nameOf({ by }: Proof): string {
  return names[by];
}

const names: Readonly<Record<Proof['by'], string>> = {
  secret: 'the cluster secret that is here',
  credential: 'the credential that is kept here',
  peer: 'the key of the cluster',
  invite: 'the join token',
  nothing: 'to be approved',
};

const invite = 'make a join token there with "octaskly invite" and start this with --join TOKEN';

const onSecret: Readonly<Record<Proof['by'], string>> = {
  secret: `Give this worker the dispatcher's secret (the file "secret" in its data directory) with --secret-file FILE or OCTASKLY_SECRET, or ${invite}.`,
  credential: `What this device joined with is not valid any more: perhaps the cluster's secret was replaced while this device was away. To let it in again, ${invite}.`,
  invite: `The join token is not valid there: perhaps the cluster's secret was replaced since it was made. To join, ${invite}.`,
  peer: '',
  nothing: 'The dispatcher does not take devices without a secret.',
};

const onKey: Readonly<Record<Proof['by'], string>> = {
  secret: '',
  credential: `Another dispatcher answers there than the one this device joined, so this device told it nothing. If that is meant, ${invite}, or start once with --new-identity to ask for approval.`,
  invite: `Another dispatcher answers there than the one that made the join token, so this device told it nothing. Name the right one with --dispatcher, or ${invite}.`,
  peer: '',
  nothing: '',
};
