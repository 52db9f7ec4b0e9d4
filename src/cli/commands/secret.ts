/** `secret`: what the cluster secret is; `secret rotate`: replaces it. It is never printed. */

import type { ClientAction } from '../command.ts';
import { columnsOf } from '../context.ts';
import { writeJson } from '../print.ts';
import { subcommandOf, wordsBehind } from '../subcommand.ts';
import type { secretCommandOptions } from '../trust-options.ts';
import { proseMax, wrapped } from '../wrap.ts';

const explanation = [
  'The cluster secret is in the file "secret" of the dispatcher\'s data directory. Workers join by keys that are made from it, and tokens are signed with one. Whoever has it can do everything.',
  "'octaskly secret rotate' replaces it while everything runs. Workers that are connected get new keys by themselves; the old secret, what was joined with it and tokens made with it hold for --grace longer. After that, devices that were away need a new invite, and programs new tokens.",
];

export const secret: ClientAction<typeof secretCommandOptions> = async ({ client, terminal }, values, words) => {
  if (subcommandOf('secret', ['rotate'], words) === null) {
    const width = Math.min(proseMax, columnsOf(terminal) ?? proseMax);
    await terminal.stdout.write(explanation.map((paragraph) => wrapped(paragraph, { width })).join('\n'));
    return 0;
  }
  wordsBehind(words, 0, 'secret rotate');
  const rotated = await client.trust.rotateSecret(Math.ceil(values.graceMs / 1000));
  const end = rotated.grace_ends_at;
  const over = Date.parse(end) <= terminal.now();
  if (values.output === 'json') await writeJson(terminal, rotated);
  else if (values.output === 'quiet') await terminal.stdout.write(`${end}\n`);
  else {
    const until = over ? 'are of no use any more' : `are valid until ${end}`;
    await terminal.stdout.write(`The cluster secret is a new one. The old one and tokens made with it ${until}.\n`);
  }
  return 0;
};
