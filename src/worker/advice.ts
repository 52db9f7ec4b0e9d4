/** What people are told when a link fails because of who the two sides are: what is, and what to do about it. */

import { placeText } from '../discovery/service.ts';
import type { LinkEnd, Proof, WorkerLink } from '../ports/links.ts';
import type { Address } from './redial.ts';

/** Trying the same again is of no use: one of the two sides has to be changed first. */
export function isHopeless({ code }: LinkEnd): boolean {
  return code === 'wrong_secret' || code === 'wrong_key' || code === 'version_mismatch';
}

/** How a link shown `proof` ended, with the advice that goes with it: one or more whole sentences. */
export function sentenceOn({ code, detail }: LinkEnd, { by }: Proof): string {
  const told = /[.!?]$/.test(detail) ? detail : `${detail}.`;
  if (code === 'wrong_secret') return `${told} ${onSecret[by]}`;
  return code === 'wrong_key' ? `${told} ${onKey[by]}` : told;
}

/** What went wrong with a link, in sentences, and what comes next. */
export function troubleOf(trouble: {
  /** It was lost, rather than not got. */
  readonly wasJoined: boolean;
  readonly remote: string;
  /** Whole sentences. */
  readonly detail: string;
  /** Where it was dialled too, and nobody has answered yet. */
  readonly silent: readonly Address[];
  /** What is shown instead; null = the same again. */
  readonly next: Proof | null;
  readonly waitMs: number;
  /** Tasks run here. */
  readonly running: boolean;
}): string {
  const { wasJoined, remote, detail, silent, next, waitMs, running } = trouble;
  const what = wasJoined ? 'Lost the dispatcher at' : 'Cannot join the dispatcher at';
  const others = silent.length === 0 ? '' : ` No answer yet from ${silent.map(placeText).join(', ')}.`;
  const again = next === null ? 'Trying again' : `Trying ${names[next.by]} instead`;
  const going = running ? ' Running tasks go on.' : '';
  return `${what} ${remote}: ${detail}${others} ${again} in ${(waitMs / 1000).toFixed(1)} s.${going}`;
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

/** That the worker is in, for people; by which way only where there was a choice. */
export function joinedSentence({ remote, choice }: Pick<WorkerLink, 'remote' | 'choice'>, name: string): string {
  const way = choice === undefined ? '' : ` by ${choice.name.toUpperCase()}`;
  return `Joined the dispatcher at ${remote} as ${name}${way}.`;
}
