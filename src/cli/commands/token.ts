/** `token create|list|revoke`. A new token is alone on standard output, so that `$(octaskly token create …)` is the token. */

import type { TokenView } from '../../api/trust-schemas.ts';
import type { ClientAction } from '../command.ts';
import { type CommandContext, note } from '../context.ts';
import type { Values } from '../option.ts';
import { usage } from '../parse.ts';
import { type OutputForm, writeJson, writeTable } from '../print.ts';
import { refuseFlags, subcommandOf, wordsBehind } from '../subcommand.ts';
import { tokenOptions } from '../trust-options.ts';

const subcommands = ['create', 'list', 'revoke'] as const;
const ownFlags = ['name', 'role', 'expiresMs'] as const;

export const token: ClientAction<typeof tokenOptions> = async (context, values, words) => {
  const subcommand = subcommandOf('token', subcommands, words);
  if (subcommand === null) throw usage('Something is missing: octaskly token create|list|revoke.');
  if (subcommand !== 'create') refuseFlags(`token ${subcommand}`, tokenOptions, values, ownFlags);
  switch (subcommand) {
    case 'create':
      wordsBehind(words, 0, 'token create --name NAME');
      return create(context, values);
    case 'list':
      wordsBehind(words, 0, 'token list');
      return list(context, values.output);
    case 'revoke': {
      const [which = ''] = wordsBehind(words, 1, 'token revoke ID|NAME');
      await context.client.trust.revokeToken(which);
      await note(context.terminal, `Token "${which}" is revoked.`);
      return 0;
    }
  }
};

async function create({ client, terminal }: CommandContext, values: Values<typeof tokenOptions>): Promise<number> {
  const { name, role = 'client', expiresMs } = values;
  if (name === undefined) throw usage('Something is missing: octaskly token create --name NAME.');
  const made = await client.trust.createToken({
    name,
    role,
    ...(expiresMs === undefined ? {} : { expires_in: Math.ceil(expiresMs / 1000) }),
  });
  if (values.output === 'json') {
    await writeJson(terminal, made);
    return 0;
  }
  await terminal.stdout.write(`${made.token}\n`);
  if (values.output === 'quiet') return 0;
  await note(
    terminal,
    `Token ${made.id} lets ${made.name} in as ${made.role} until ${made.expires_at ?? 'it is revoked'}. It is shown this once: keep it in a file of mode 600 for --token-file, or in OCTASKLY_TOKEN.`,
  );
  return 0;
}

async function list({ client, terminal }: CommandContext, form: OutputForm): Promise<number> {
  const found = await client.trust.tokens();
  const row = (one: TokenView): readonly string[] => {
    return [one.id, one.name, one.role, one.status, one.created_at, one.expires_at ?? ''];
  };
  if (form === 'json') await writeJson(terminal, found);
  else if (form === 'quiet') await terminal.stdout.write(found.tokens.map(({ id }) => `${id}\n`).join(''));
  else {
    const columns = [
      ...[{ title: 'ID' }, { title: 'NAME', flexible: true }, { title: 'ROLE' }, { title: 'STATUS' }],
      ...[
        { title: 'CREATED', spare: 2 },
        { title: 'EXPIRES', spare: 1 },
      ],
    ];
    await writeTable(terminal, columns, found.tokens.map(row));
  }
  return 0;
}
