/** What must hold of work that changes hands, and of tasks handed to workers directly. Complaints are thrown as `Broken`. */

import { isFinal } from '../../src/core/task.ts';
import type { Handed } from './askers.ts';
import { check } from './broken.ts';
import type { Said } from './ledger.ts';
import { type Trace, writtenBytes } from './processes.ts';
import type { World } from './world.ts';

/** Said only where workers may have peers. */
const exchanges: ReadonlySet<string> = new Set(['offer', 'offerAnswered', 'workWanted', 'handedOver', 'granted']);

/**
 * Whoever begins an attempt was told to. While an earlier attempt of the task goes on elsewhere, only if the dispatcher
 * has been without that worker since it began, and gave it up.
 */
export function checkStart({ ledger, traces }: World, { taskId, attempt, host, machine }: Trace): void {
  check(ledger.wasTold(machine, { taskId, attempt }), () => `${host} began ${taskId}.${attempt} untold`);
  ledger.began({ taskId, attempt });
  for (let earlier = 1; earlier < attempt; earlier++) {
    const other = traces.byAttempt.get(`${taskId}.${earlier}`);
    if (other === undefined || other.ended || other.host === host) continue;
    check(
      ledger.wasAwaySince(other.host, other.beganAt),
      () => `${taskId}.${attempt} began on ${host} while attempt ${earlier} goes on on ${other.host}`,
    );
  }
}

/** What is said of work fits what was agreed: where peers are not wanted, they have nothing to say to each other. */
export function checkSaid({ hosts, ledger, peersAllowed }: World, { message, from, to, amongPeers }: Said): void {
  check(ledger.doubled === null, () => `two workers are told to run ${ledger.doubled}`);
  const programs = hosts.filter(({ program }) => program?.machine === from || program?.machine === to);
  const refusing = programs.filter(({ declaration }) => declaration.peerPort === null);
  if (amongPeers)
    check(refusing.length === 0, () => `${refusing[0]?.name} has no peers, and a part in ${message.kind}`);
  const isGreeting = message.kind === 'peerHello' || message.kind === 'alive';
  const isExchange = (amongPeers && programs.length > 1 && !isGreeting) || exchanges.has(message.kind);
  check(
    peersAllowed || !isExchange,
    () => `${from.name} says ${message.kind} to ${to.name}, where peers are not allowed`,
  );
}

/** Who handed a task to a worker directly saw what it did; what the dispatcher knows of it has ended. */
export function checkHanded(world: World, { id, answer, output, end, host, program }: Handed): void {
  const trace = world.traces.byAttempt.get(`${id}.1`);
  const row = world.disk.tasks.get(id);
  check(row === undefined || isFinal(row.task.status), () => `${id} was handed over and is ${row?.task.status}`);
  check(!world.traces.byAttempt.has(`${id}.2`), () => `${id} was handed to ${host} and was tried again`);
  check((row?.task.attempt ?? 1) === 1, () => `${id} was handed to ${host} and has attempt ${row?.task.attempt}`);
  check(answer !== 'refused' || trace === undefined, () => `${id} was refused by ${host} and was started there`);
  if (end === null) return;
  check((trace?.host ?? host) === host, () => `${id} was handed to ${host} and ran on ${trace?.host}`);
  if (end.outcome.kind === 'exited') {
    check(end.outcome.exitCode === program.exitCode, () => `${id} was told to have exited ${end.outcome}`);
  }
  for (const stream of ['stdout', 'stderr'] as const) {
    const expected = writtenBytes(`${id}.1`, stream, 0, trace?.written[stream] ?? 0);
    check(
      Buffer.compare(Uint8Array.from(output[stream]), expected) === 0,
      () => `who handed over ${id} saw ${output[stream].length} bytes of ${stream}, or others, of ${expected.length}`,
    );
  }
  const stayed = world.hosts.find(({ name }) => name === host)?.program?.machine;
  // One that waits for a place among the most workers allowed has not told of it yet.
  const isIn = (world.dispatcher?.dispatcher.state.workers.get(host)?.session ?? null) !== null;
  check(row !== undefined || !isIn || stayed !== trace?.machine, () => `${id} ran on ${host}, and is not on record`);
  check(
    row === undefined || ['lost', end.outcome.kind].includes(row.task.outcome?.kind ?? ''),
    () => `${id} is on record as ${row?.task.outcome?.kind}, and was told as ${end.outcome.kind}`,
  );
}
