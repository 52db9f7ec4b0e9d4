/** `invite`: a join token with all ways to use it; `invite list`, `invite revoke ID`. */

import type { CreatedInvite, InviteView } from '../../api/trust-schemas.ts';
import { installable } from '../../client/installable.ts';
import { targets as everyTarget } from '../../core/targets.ts';
import type { ClientAction } from '../command.ts';
import { type CommandContext, hasColor, note, type Terminal } from '../context.ts';
import type { Values } from '../option.ts';
import { type OutputForm, proseLine, writeFacts, writeJson, writeTable } from '../print.ts';
import { drawQr } from '../qr.ts';
import { refuseFlags, subcommandOf, wordsBehind } from '../subcommand.ts';
import { inviteOptions } from '../trust-options.ts';

const ownFlags = ['uses', 'expiresMs', 'name', 'qr'] as const;

export const invite: ClientAction<typeof inviteOptions> = async (context, values, words) => {
  const subcommand = subcommandOf('invite', ['list', 'revoke'], words);
  if (subcommand !== null) refuseFlags(`invite ${subcommand}`, inviteOptions, values, ownFlags);
  switch (subcommand) {
    case null:
      return create(context, values);
    case 'list':
      wordsBehind(words, 0, 'invite list');
      return list(context, values.output);
    case 'revoke': {
      const [id = ''] = wordsBehind(words, 1, 'invite revoke ID');
      await context.client.trust.revokeInvite(id);
      await note(
        context.terminal,
        `Invite "${id}" is revoked. Devices that joined with it stay; 'octaskly kick' shuts one out.`,
      );
      return 0;
    }
  }
};

async function create({ client, terminal }: CommandContext, values: Values<typeof inviteOptions>): Promise<number> {
  const { uses, expiresMs, name } = values;
  const made = await client.trust.createInvite({
    ...(uses === undefined ? {} : { uses }),
    ...(expiresMs === undefined ? {} : { expires_in: Math.ceil(expiresMs / 1000) }),
    ...(name === undefined ? {} : { name }),
  });
  if (values.output === 'json') await writeJson(terminal, made);
  else if (values.output === 'quiet') await terminal.stdout.write(`${made.token}\n`);
  else {
    await explain(terminal, made);
    if (values.qr ?? terminal.stdout.isTTY) await writeQr(terminal, made);
  }
  return 0;
}

async function explain(terminal: Terminal, made: CreatedInvite): Promise<void> {
  // Sentences keep to the terminal; a line to type stays whole, or it could not be copied.
  const said = (text: string): string => proseLine(terminal, text);
  const { posix, windows, targets } = installable(made);
  const lines = [
    ...(posix ? [`${said('On a device without Octaskly, which installs it first:')}\n  ${made.install}\n`] : []),
    ...(windows ? [`${said('On Windows, in PowerShell:')}\n  ${made.install_windows}\n`] : []),
  ];
  const others = `${windows ? 'For others' : 'For Windows and others'} start it with --dist ('octaskly docs install').`;
  const lacks = everyTarget.some(({ name }) => !targets.includes(name));
  if (targets.length > 0 && lacks) {
    lines.push(said(`The dispatcher hands out the program for ${targets.join(', ')}. ${others}`));
  }
  const line = lines.join('\n');
  const problem =
    made.install_problem === null
      ? ''
      : `\n${made.install_problem.split('\n').map(said).join('')}Or copy the program there.\n`;
  const devices = made.uses_max === 1 ? 'one device' : `${made.uses_max} devices`;
  await terminal.stdout.write(
    `${said(`This lets ${devices} in until ${made.expires_at}. On a device that has Octaskly:`)}\n  octaskly worker --join ${made.token}\n\n${line}${problem}\n`,
  );
  await writeFacts(terminal, [
    ['Join token', made.token],
    ['Fingerprint', made.fingerprint],
    ['Addresses', made.addresses.join(' ')],
    ['Script', `SHA-256 ${made.install_sha256}`],
    ['Invite', made.id],
    ['Name', made.name],
  ]);
}

/** The line to type where there is one: whoever scans it with the new device has no keyboard at hand. */
async function writeQr(terminal: Terminal, made: CreatedInvite): Promise<void> {
  // A terminal that does not know its width says 0.
  const columns = terminal.stdout.columns || null;
  const fits = (lines: readonly string[]): boolean => columns === null || terminal.textWidth(lines[0] ?? '') <= columns;
  const isTyped = made.install_works && installable(made).posix;
  const drawings = [...(isTyped ? [made.install] : []), made.token].map((text) => {
    return drawQr(text, hasColor(terminal));
  });
  const lines = drawings.find(fits);
  if (lines === undefined) {
    const needed = terminal.textWidth(drawings.at(-1)?.[0] ?? '');
    await note(terminal, `The QR code is ${needed} cells wide and does not fit into the ${columns} of this terminal.`);
    return;
  }
  await terminal.stdout.write(`\n${lines.join('\n')}\n`);
}

async function list({ client, terminal }: CommandContext, form: OutputForm): Promise<number> {
  const found = await client.trust.invites();
  const row = (one: InviteView): readonly string[] => {
    return [one.id, one.status, `${one.uses}/${one.uses_max}`, one.expires_at, one.created_by, one.name ?? ''];
  };
  if (form === 'json') await writeJson(terminal, found);
  else if (form === 'quiet') await terminal.stdout.write(found.invites.map(({ id }) => `${id}\n`).join(''));
  else {
    await writeTable(
      terminal,
      [
        ...[{ title: 'ID' }, { title: 'STATUS' }, { title: 'USES' }, { title: 'EXPIRES' }],
        ...[
          { title: 'BY', flexible: true, spare: 1 },
          { title: 'NAME', flexible: true },
        ],
      ],
      found.invites.map(row),
    );
  }
  return 0;
}
