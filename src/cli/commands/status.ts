/**
 * `status`, and `octaskly` alone: what the dispatcher does, in a few lines, and what to type next. What the caller's role
 * may not see is left out.
 */

import type { Stats } from '../../api/schemas.ts';
import { formatDuration } from '../../base/duration.ts';
import { OctasklyError } from '../../base/errors.ts';
import type { ClientAction } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { proseLine, writeFacts, writeJson } from '../print.ts';
import type { lookOptions } from '../shared-options.ts';

/** What a caller may not know is null. */
interface Found {
  readonly url: string;
  readonly ready: boolean;
  /** Why it takes no work. */
  readonly reason: string | null;
  readonly stats: Stats | null;
  /** Devices that wait to be let in. */
  readonly approvals: number | null;
}

export const status: ClientAction<typeof lookOptions> = async (context, values) => {
  const { terminal } = context;
  const found = await look(context);
  if (values.output === 'json') await writeJson(terminal, found);
  else if (values.output === 'quiet') await terminal.stdout.write(`${found.url}\n`);
  else await tell(context, found);
  return 0;
};

async function look({ client }: CommandContext): Promise<Found> {
  const [{ ready, reason }, stats, approvals] = await Promise.all([
    client.ready(),
    permitted(() => client.stats()),
    permitted(async () => (await client.trust.approvals()).approvals.length),
  ]);
  return { url: client.baseUrl, ready, reason, stats, approvals };
}

/** Null where the caller's token does not suffice, or there is none. One that does not hold is an error. */
async function permitted<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof OctasklyError)) throw error;
    const isTokenless = error.code === 'unauthorized' && error.message.startsWith('This call needs a token');
    if (isTokenless || error.code === 'forbidden' || error.code === 'not_ready') return null;
    throw error;
  }
}

async function tell({ terminal }: CommandContext, found: Found): Promise<void> {
  const { stats } = found;
  const known =
    stats === null
      ? []
      : ([
          ['version', `${stats.version}, up ${formatDuration(stats.uptime_seconds * 1000)}`],
          ['tasks', counts(stats.tasks) || 'none yet'],
          ['workers', counts(stats.workers) || 'none yet'],
          ['slots', `${stats.slots.used} of ${stats.slots.total} used`],
        ] as const);
  await writeFacts(terminal, [
    ['dispatcher', found.url],
    ['state', stateOf(found)],
    ...known,
    ['waiting', found.approvals ? `${found.approvals} to be let in` : null],
  ]);
  await terminal.stdout.write(
    `\n${nextSteps(found)
      .map((line) => proseLine(terminal, line))
      .join('')}`,
  );
}

/** Those that are not 0. */
function counts(record: Readonly<Record<string, number>>): string {
  const some = Object.entries(record).filter(([, count]) => count > 0);
  return some.map(([name, count]) => `${count} ${name}`).join(', ');
}

function stateOf({ ready, reason, stats }: Found): string {
  if (!ready) return `takes no work: ${reason ?? 'it does not say why'}`;
  return stats?.paused ? 'paused' : 'takes work';
}

function nextSteps({ stats, approvals }: Found): readonly string[] {
  if (stats === null) {
    return [
      "More is shown to a token of the role dispatcher or admin: --token-file FILE, OCTASKLY_TOKEN; 'octaskly whoami' says what yours is.",
    ];
  }
  const workers = stats.workers.online + stats.workers.draining;
  return [
    ...(stats.paused ? ["'octaskly resume' starts tasks again."] : []),
    ...(approvals ? ["'octaskly approve' lists the devices that wait."] : []),
    ...(workers === 0
      ? ["No worker is there: 'octaskly worker' starts one here, 'octaskly invite' lets a device in."]
      : []),
    "'octaskly ps' lists tasks, 'octaskly ui' shows it all, 'octaskly --help' lists all commands.",
  ];
}
