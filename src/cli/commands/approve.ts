/**
 * `approve CODE`, `reject CODE`: decides on a device that waits. It is named by the six digits it shows itself, because
 * comparing them is what keeps a man in the middle out; not by its name, which it chose. Where two show the same digits,
 * by its id. Without a word: the devices that wait.
 */

import type { ApprovalView } from '../../api/trust-schemas.ts';
import { formatDuration } from '../../base/duration.ts';
import { OctasklyError } from '../../base/errors.ts';
import type { ClientAction } from '../command.ts';
import { type CommandContext, note } from '../context.ts';
import { type OutputForm, writeJson, writeTable } from '../print.ts';
import type { lookOptions } from '../shared-options.ts';

const decisions = {
  approve: { done: 'may join now' },
  reject: { done: 'was turned away' },
} as const;
type Decision = keyof typeof decisions;

export const approve: ClientAction<typeof lookOptions> = (context, values, words) =>
  decide(context, 'approve', words, values.output);

export const reject: ClientAction<typeof lookOptions> = (context, values, words) =>
  decide(context, 'reject', words, values.output);

async function decide(
  context: CommandContext,
  decision: Decision,
  words: readonly string[],
  form: OutputForm,
): Promise<number> {
  const { client, terminal } = context;
  const { approvals } = await client.trust.approvals();
  if (words.length === 0) {
    await writeWaiting(context, decision, approvals, form);
    return 0;
  }
  // `123 456` arrives as two words.
  const device = findDevice(approvals, words.join(' '), decision);
  await client.trust[decision](device.id);
  if (form === 'json') await writeJson(terminal, device);
  else if (form === 'quiet') await terminal.stdout.write(`${device.id}\n`);
  else await note(terminal, `${device.name} (${device.address}) ${decisions[decision].done}.`);
  return 0;
}

/** The six digits without what groups them; null when `text` is no code. */
function digitsOf(text: string): string | null {
  const digits = /^(\d{3})[ -]?(\d{3})$/.exec(text);
  return digits === null ? null : `${digits[1]}${digits[2]}`;
}

const grouped = (code: string): string => (digitsOf(code) ?? code).replace(/^(\d{3})(?=\d{3}$)/, '$1 ');

function findDevice(approvals: readonly ApprovalView[], word: string, decision: Decision): ApprovalView {
  const digits = digitsOf(word);
  const fitting = approvals.filter(({ id, code }) => id === word || (digits !== null && digitsOf(code) === digits));
  const [device, other] = fitting;
  if (other !== undefined) {
    const ids = fitting.map(({ id, name, address }) => `${id} (${name}, ${address})`).join(', ');
    throw new OctasklyError('conflict', `Several devices show ${grouped(word)}: name one by its id: ${ids}.`);
  }
  if (device !== undefined) return device;
  if (digits === null && !approvals.some(({ name }) => name === word)) {
    throw new OctasklyError('usage', `"${word}" is no code: it is the six digits the device shows, such as 123 456.`);
  }
  if (digits === null) {
    const why = 'A device chooses its name itself';
    throw new OctasklyError(
      'usage',
      `${why}: say the six digits that "${word}" shows, as octaskly ${decision} 123456.`,
    );
  }
  const waiting = approvals.map(({ code, name }) => `${grouped(code)} (${name})`).join(', ');
  const known = waiting === '' ? 'None waits now.' : `Those that wait show: ${waiting}.`;
  throw new OctasklyError(
    'not_found',
    `No device that waits shows ${grouped(word)}. ${known} 'octaskly approve' lists them.`,
  );
}

async function writeWaiting(
  { terminal }: CommandContext,
  decision: Decision,
  approvals: readonly ApprovalView[],
  form: OutputForm,
): Promise<void> {
  if (form === 'json') return writeJson(terminal, { approvals, next_cursor: null });
  if (form === 'quiet') return terminal.stdout.write(approvals.map(({ id }) => `${id}\n`).join(''));
  if (approvals.length === 0) return note(terminal, 'No device waits to be approved.');
  const columns = [
    ...[{ title: 'CODE' }, { title: 'NAME', flexible: true }, { title: 'ADDRESS', spare: 2 }],
    ...[{ title: 'PLATFORM', spare: 3 }, { title: 'AGE', spare: 1 }, { title: 'IF IT SHOWS THIS CODE' }],
  ];
  await writeTable(
    terminal,
    columns,
    approvals.map((device) => [
      grouped(device.code),
      device.name,
      device.address,
      `${device.platform}/${device.arch}`,
      formatDuration(terminal.now() - Date.parse(device.asked_at)),
      `octaskly ${decision} ${digitsOf(device.code) ?? device.id}`,
    ]),
  );
}
