/**
 * `doctor`: what is wrong on this machine, and how to get what is missing. Sends each topic to whoever looks at it, and
 * prints what came of it: a report for people, JSON, or the names of what is wrong.
 *
 * Exit status 1 when something is wrong: a finding of `doctor net` that is no note, or a machine that cannot give even
 * the level of isolation a worker gives unless it is told otherwise. Missing upper levels are no fault.
 */

import { OctasklyError } from '../base/errors.ts';
import type { Sink } from '../cli/context.ts';
import { type DoctorValues, workerOptions } from '../cli/options.ts';
import type { HostIsolation } from '../core/host-isolation.ts';
import type { Isolation } from '../core/isolation.ts';
import { diagnose } from '../discovery/diagnosis.ts';
import { type Finding, isTrouble } from '../discovery/finding.ts';
import type { NetworkFacts } from '../discovery/network-facts.ts';
import { offersOf } from '../worker/offers.ts';
import { examineNetwork, targetIn } from './doctor-net.ts';
import { line, networkReport, section } from './doctor-report.ts';
import { accounts, examineSandbox, sandboxReport } from './doctor-sandbox.ts';

const topics = ['sandbox', 'net'] as const;
type Topic = (typeof topics)[number];

/** The level of a worker that names none. */
const usualLevel = workerOptions.sandboxLevel.default;

interface Sandbox {
  readonly host: HostIsolation;
  readonly isolation: Isolation;
}

interface Network {
  readonly facts: NetworkFacts;
  readonly findings: readonly Finding[];
}

/**
 * Prints the report on `topic`, or on all in short; `host` goes with the topic net. Exit status 0 = nothing is wrong, 1 =
 * something is. Errors: `usage` for a topic or a host that is none; `io` for an output that cannot be written; `io`, `forbidden` for a damaged data directory.
 */
export async function runDoctor(
  values: DoctorValues,
  { topic, host, stdout }: { readonly topic: string | null; readonly host: string | null; readonly stdout: Sink },
): Promise<number> {
  const known = topicIn(topic);
  if (host !== null && known !== 'net')
    throw new OctasklyError('usage', `"${host}" is one word too many: doctor ${known} takes no host, doctor net does.`);
  const target = host === null ? null : targetIn(host, values);
  const [sandbox, network] = await Promise.all([
    known === 'net' ? null : sandboxOf(values),
    known === 'sandbox' ? null : examineNetwork(values, target).then((facts) => ({ facts, findings: diagnose(facts) })),
  ]);
  await stdout.write(shown(values.output, { topic: known, sandbox, network }));
  return isWrong(sandbox, network) ? 1 : 0;
}

interface Seen {
  /** Null = all, in short. */
  readonly topic: Topic | null;
  readonly sandbox: Sandbox | null;
  readonly network: Network | null;
}

function shown(output: DoctorValues['output'], { topic, sandbox, network }: Seen): string {
  switch (output) {
    case 'json':
      return `${JSON.stringify(jsonOf(topic, sandbox, network), null, 2)}\n`;
    case 'quiet':
      return namesOf(topic, sandbox, network)
        .map((name) => `${name}\n`)
        .join('');
    default:
      return reportOf({ inShort: topic === null, sandbox, network });
  }
}

function topicIn(topic: string | null): Topic | null {
  const known = topics.find((each) => each === topic);
  if (known !== undefined || topic === null) return known ?? null;
  throw new OctasklyError('usage', `There is no topic "${topic}" for doctor; there is: ${topics.join(', ')}.`);
}

async function sandboxOf(values: DoctorValues): Promise<Sandbox> {
  const host = await examineSandbox(values);
  return { host, isolation: offersOf(host, 'none') };
}

function lacksUsualLevel({ isolation }: Sandbox): boolean {
  return isolation.missing.some(({ level }) => level === usualLevel);
}

function isWrong(sandbox: Sandbox | null, network: Network | null): boolean {
  return (sandbox !== null && lacksUsualLevel(sandbox)) || (network?.findings.some(isTrouble) ?? false);
}

// ----------------------------------------------------------------------------------------------------- printing

function reportOf(given: {
  readonly inShort: boolean;
  readonly sandbox: Sandbox | null;
  readonly network: Network | null;
}) {
  const { inShort, sandbox, network } = given;
  const parts: string[] = [];
  if (sandbox !== null) parts.push(inShort ? sandboxInShort(sandbox) : sandboxReport(sandbox.host, sandbox.isolation));
  if (network !== null) parts.push(networkReport(network.facts, network.findings));
  return parts.join('');
}

function sandboxInShort({ isolation }: Sandbox): string {
  const { levels, missing } = isolation;
  const offered = levels.map(({ level, mechanism }) => line('ok', `${level}: ${mechanism}`));
  const lacking = missing.map(({ level, reason }) =>
    line(level === usualLevel ? 'FAIL' : '-', `${level}: not here, ${reason} (octaskly doctor sandbox)`),
  );
  return section('Sandbox', [...offered, ...lacking]);
}

/** Names of what is wrong; of the topic sandbox alone, the levels that are there. */
function namesOf(topic: Topic | null, sandbox: Sandbox | null, network: Network | null): string[] {
  if (topic === 'sandbox') return (sandbox?.isolation.levels ?? []).map(({ level }) => level);
  const lack = sandbox !== null && lacksUsualLevel(sandbox) ? [`sandbox_${usualLevel}_missing`] : [];
  const found = (network?.findings ?? []).filter(isTrouble).map(({ name }) => name);
  return [...new Set([...lack, ...found])];
}

function jsonOf(topic: Topic | null, sandbox: Sandbox | null, network: Network | null): unknown {
  const ofSandbox = sandbox === null ? null : { ...accounts(sandbox.host), ...sandbox.isolation };
  if (topic === 'sandbox') return ofSandbox;
  const ofNetwork = network === null ? null : { ...snakeCase(network.facts), findings: network.findings };
  const ok = !isWrong(sandbox, network);
  return topic === 'net' ? { ok, ...ofNetwork } : { ok, sandbox: ofSandbox, net: ofNetwork };
}

/** The keys of facts as the API writes keys. */
function snakeCase(facts: NetworkFacts): Record<string, unknown> {
  const convert = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(convert);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, of]) => [
        key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        convert(of),
      ]),
    );
  };
  return Object.fromEntries(Object.entries(convert(facts) ?? {}));
}
