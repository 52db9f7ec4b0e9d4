/** `ui`: the dashboard in this terminal, until the person leaves it. What it shows and does is `tui/`. */

import { runDashboard } from '../../../tui/run.ts';
import { openScreen } from '../../../tui/screen.ts';
import type { uiOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { hasColor, type Terminal } from '../context.ts';
import { usage } from '../parse.ts';

/** How long one answer is waited for, ms: a person sees soon that the dispatcher does not answer. */
const answerMs = 5000;

function checkTerminal({ stdin, stdout, env }: Terminal): void {
  const instead = "'octaskly stats', 'octaskly workers' and 'octaskly ps' print the same as text.";
  if (!stdin.isTTY || !stdout.isTTY) {
    const which = stdout.isTTY ? 'standard input' : 'standard output';
    throw usage(`The dashboard needs a terminal, and ${which} is none. ${instead}`);
  }
  if (env.TERM === 'dumb')
    throw usage(`The dashboard needs a terminal that can place text; TERM is "dumb". ${instead}`);
}

/** POSIX, "Internationalization Variables": the first that is set counts. None set says nothing about the terminal. */
function isAsciiLocale(env: Terminal['env']): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG;
  return locale !== undefined && locale !== '' && !/utf-?8/i.test(locale);
}

export const ui: ClientAction<typeof uiOptions> = async ({ client, connect, terminal }, values) => {
  checkTerminal(terminal);
  // A dispatcher that is not there at the start is more likely a wrong address than a lost one.
  await client.stats();
  const screen = openScreen({
    ascii: values.ascii || isAsciiLocale(terminal.env),
    color: hasColor(terminal),
    mouse: values.mouse,
    textWidth: (text) => terminal.textWidth(text),
  });
  try {
    await runDashboard({
      connect: (onLost) => connect({ onLost, timeoutMs: answerMs }),
      screen,
      now: () => terminal.now(),
      onStop: (listener) => terminal.onSignal(listener),
    });
  } finally {
    screen.close();
  }
  return 0;
};
