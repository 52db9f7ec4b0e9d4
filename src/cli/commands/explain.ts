/** `explain ID`: why a task waits, worker by worker, or what ended it and what to do. */

import { harmless } from '../../base/harmless.ts';
import type { ClientAction } from '../command.ts';
import { proseLine, writeIds, writeJson } from '../print.ts';
import { oneTask } from '../selectors.ts';
import type { lookOptions } from '../shared-options.ts';

export const explain: ClientAction<typeof lookOptions> = async ({ client, terminal }, values, words) => {
  const explanation = await client.explain((await oneTask(client, words[0] ?? '')).id);
  if (values.output === 'json') await writeJson(terminal, explanation);
  else if (values.output === 'quiet') await writeIds(terminal, [explanation.id]);
  else {
    const workers = explanation.workers.map(({ name, fits, reasons }) => {
      const verdict = reasons.length === 0 ? 'could run it' : reasons.join('; ');
      return `  ${name}: ${fits && reasons.length > 0 ? `could run it, but ${verdict}` : verdict}`;
    });
    const lines = [
      `${explanation.id} is ${explanation.status}: ${explanation.summary}`,
      ...workers,
      ...explanation.advice.map((advice) => `* ${advice}`),
    ];
    await terminal.stdout.write(lines.map((line) => proseLine(terminal, harmless(line), '', '    ')).join(''));
  }
  return 0;
};
