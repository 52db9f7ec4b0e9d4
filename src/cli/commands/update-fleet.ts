/** `update --fleet`: has the dispatcher bring its workers to its version, and shows how that goes. */

import type { UpdateView } from '../../api/update-schemas.ts';
import { OctasklyError } from '../../base/errors.ts';
import { sleep } from '../../client/backoff.ts';
import { type CommandContext, note, shownOn, type Terminal } from '../context.ts';
import { writeJson } from '../print.ts';
import { counted, formatBytes } from '../text.ts';
import type { UpdateValues } from '../update-options.ts';

const lookMs = 300;
/** How often it is said that nothing has changed, ms. */
const stillMs = 15_000;

/** Exit status 0, 1 when a worker failed or it was stopped, 10 when `--check` finds workers to update. */
export async function updateFleet({ client, terminal }: CommandContext, values: UpdateValues): Promise<number> {
  const isDry = values.dryRun || values.check;
  const update = await client.updates.start({
    ...(values.worker.length === 0 ? {} : { workers: [...values.worker] }),
    wait: values.waitMs / 1000,
    allow_downgrade: values.allowDowngrade,
    dry_run: isDry,
  });
  if (isDry) {
    await tellPlan(update, terminal, values.output);
    return values.check && update.workers.some(({ status }) => status === 'waiting') ? 10 : 0;
  }
  const ended = await followed(update, { client, terminal }, values.output === 'table');
  if (values.output === 'json') await writeJson(terminal, ended);
  else if (values.output === 'quiet') {
    const updated = ended.workers.filter(({ status }) => status === 'updated');
    await terminal.stdout.write(updated.map(({ id }) => `${id}\n`).join(''));
  } else await terminal.stdout.write(`${summary(ended)}\n`);
  if (ended.status === 'completed') return 0;
  await note(terminal, `the update did not go on: ${ended.reason ?? ended.status}`);
  return 1;
}

async function tellPlan(update: UpdateView, terminal: Terminal, output: UpdateValues['output']): Promise<void> {
  if (output === 'json') return writeJson(terminal, update);
  const due = update.workers.filter(({ status }) => status === 'waiting');
  if (output === 'quiet') return terminal.stdout.write(due.map(({ id }) => `${id}\n`).join(''));
  const lines = update.workers.map(({ name, from, status }) =>
    status === 'waiting' ? `${name}: ${from} -> ${update.version}` : `${name}: ${from}, ${inWords[status] ?? status}`,
  );
  const text = lines.length === 0 ? 'There are no workers.\n' : `${lines.join('\n')}\n`;
  return terminal.stdout.write(shownOn(terminal.stdout, text));
}

const inWords: Readonly<Record<string, string>> = {
  current: 'has that version',
  away: 'is not connected: left out',
  draining: 'finishes its tasks',
  fetching: 'fetches the program',
  restarting: 'restarts',
  updated: 'is back',
};

/** Follows it to its end. Ctrl-C stops it after the worker under way; a second one leaves it alone. */
async function followed(
  begun: UpdateView,
  { client, terminal }: Pick<CommandContext, 'client' | 'terminal'>,
  isShown: boolean,
): Promise<UpdateView> {
  let interrupts = 0;
  const quietly = terminal.onSignal(() => {
    interrupts += 1;
    if (interrupts > 1) return;
    const word = note(terminal, 'stopping after the worker under way; again to leave it alone.');
    Promise.all([word, client.updates.stop(begun.id)]).catch(() => {});
  });
  const told = new Map<string, string>();
  let toldAt = terminal.now();
  try {
    for (let update = begun; ; ) {
      for (const worker of update.workers) {
        const line = lineOf(worker, update.version);
        if (line === null || told.get(worker.id) === worker.status) continue;
        told.set(worker.id, worker.status);
        toldAt = terminal.now();
        if (isShown) await terminal.stdout.write(shownOn(terminal.stdout, `${line}\n`));
      }
      if (update.status !== 'running') return update;
      const active = update.workers.find(({ status }) => ['draining', 'fetching', 'restarting'].includes(status));
      if (isShown && active !== undefined && terminal.now() - toldAt > stillMs) {
        toldAt = terminal.now();
        await note(
          terminal,
          shownOn(terminal.stderr, `${active.name} still ${inWords[active.status]}${sentOf(active)}.`),
        );
      }
      if (interrupts > 1)
        throw new OctasklyError('io', `It goes on without being watched: GET /api/v1/updates/${begun.id}.`);
      await sleep(lookMs, undefined);
      update = await client.updates.show(begun.id);
    }
  } finally {
    quietly();
  }
}

type Member = UpdateView['workers'][number];

function lineOf({ name, from, status, bytes }: Member, version: string): string | null {
  switch (status) {
    case 'waiting':
    case 'current':
    case 'failed':
      return null;
    case 'fetching':
      return `${name}: fetches the program (${formatBytes(bytes)})`;
    case 'updated':
      return `${name}: is back, ${from} -> ${version}`;
    default:
      return `${name}: ${inWords[status]}`;
  }
}

function sentOf({ status, sent_bytes: sent, bytes }: Member): string {
  return status === 'fetching' ? `, ${formatBytes(sent)} of ${formatBytes(bytes)}` : '';
}

function summary({ workers, version }: UpdateView): string {
  const count = (status: Member['status']): number => workers.filter((worker) => worker.status === status).length;
  const updated = count('updated');
  const rest = [
    [count('current'), 'had it'],
    [count('away'), 'not connected'],
    [count('failed'), 'failed'],
    [count('waiting'), 'not begun'],
  ] as const;
  const told = rest.flatMap(([number, what]) => (number === 0 ? [] : [`${number} ${what}`]));
  return [`${counted(updated, 'worker')} updated to ${version}`, ...told].join(', ');
}
