/** `notify`: sends a notification by hand, to see that it arrives, and shows the key that webhooks are signed with. */

import { sleep } from '../../client/backoff.ts';
import type { ClientAction } from '../command.ts';
import { type CommandContext, note } from '../context.ts';
import { usage } from '../parse.ts';
import { type OutputForm, writeIds, writeJson } from '../print.ts';
import type { lookOptions } from '../shared-options.ts';
import { subcommandOf, wordsBehind } from '../subcommand.ts';

const testText = 'This is a test: notifications of Octaskly arrive here.';

/** Longer than the dispatcher waits for a receiver. */
const outcomeMs = 12_000;
const lookMs = 200;

/** What became of the first tries at these deliveries, waited for. */
async function outcomes({ client, terminal }: CommandContext, ids: readonly string[]) {
  const until = terminal.now() + outcomeMs;
  for (;;) {
    const found = await Promise.all(ids.map(async (id) => ({ id, ...(await client.notifications.delivery(id)) })));
    const isKnown = found.every(({ state, failed_tries }) => state !== 'pending' || failed_tries > 0);
    if (isKnown || terminal.now() >= until) return found;
    await sleep(lookMs, undefined);
  }
}

/** Says whether a test arrived. Exit status 1 when one of them did not. */
async function tested(context: CommandContext, ids: readonly string[], form: OutputForm): Promise<number> {
  const { terminal } = context;
  const found = await outcomes(context, ids);
  const missing = found.filter(({ state }) => state !== 'delivered');
  if (form === 'json') await writeJson(terminal, { ids, deliveries: found });
  else if (form === 'quiet') await writeIds(terminal, ids);
  else if (missing.length === 0) await note(terminal, 'It arrived.');
  for (const { state, error } of missing) {
    const next = state === 'given_up' ? 'it is not tried again' : 'it is tried again later';
    await note(terminal, `It has not arrived: ${error ?? 'there is no answer yet'}; ${next}.`);
  }
  return missing.length === 0 ? 0 : 1;
}

export const notify: ClientAction<typeof lookOptions> = async (context, values, words) => {
  const { client, terminal } = context;
  const form = subcommandOf('notify', ['test', 'send', 'key'], words);
  if (form === 'key') {
    wordsBehind(words, 0, 'notify key');
    const answer = await client.notifications.key();
    if (values.output === 'json') await writeJson(terminal, answer);
    else await terminal.stdout.write(`${answer.key}\n`);
    return 0;
  }
  const [url, ...texts] = words.slice(1);
  if (form === 'send' && texts.length === 0) throw usage('Something is missing: octaskly notify send URL TEXT.');
  if (form === 'test' && texts.length > 0) throw usage(`"${texts[0]}" is too much: octaskly notify test [URL].`);
  const where = url === undefined ? {} : { url };
  const answer = await client.notifications.send(
    form === 'send' ? { ...where, text: texts.join(' ') } : { ...where, event: 'test', text: testText },
  );
  if (form === 'test') return await tested(context, answer.ids, values.output);
  if (values.output === 'json') await writeJson(terminal, answer);
  else if (values.output === 'quiet') await writeIds(terminal, answer.ids);
  else {
    await note(terminal, "It is on its way. If it does not arrive: octaskly stats, and the dispatcher's log.");
  }
  return 0;
};
