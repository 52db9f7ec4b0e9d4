/** `ui`: the dashboard in this terminal, until the person leaves it. What it shows and does is `tui/`. */

import { runDashboard } from '../../../tui/run.ts';
import { giveBack, openScreen, type Screen } from '../../../tui/screen.ts';
import type { uiOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { hasColor, type Terminal } from '../context.ts';
import { usage } from '../parse.ts';
import { exitOfSignal } from '../status.ts';

/** How long one answer is waited for, ms: a person sees soon that the dispatcher does not answer. */
export const answerMs = 5000;

const otherRole = "Make another with 'octaskly token create --role client --name NAME'.";

/** Error: `usage` where nothing can be drawn. */
export function checkTerminal({ stdin, stdout, env }: Terminal): void {
  const instead = "'octaskly stats', 'octaskly workers' and 'octaskly ps' print the same as text.";
  if (!stdin.isTTY || !stdout.isTTY) {
    const which = stdout.isTTY ? 'standard input' : 'standard output';
    throw usage(`The dashboard needs a terminal, and ${which} is none. ${instead}`);
  }
  if (env.TERM === 'dumb')
    throw usage(`The dashboard needs a terminal that can place text; TERM is "dumb". ${instead}`);
}

/** POSIX, "Internationalization Variables": the first that is set counts; none set is the locale "POSIX". */
function isAsciiLocale({ LC_ALL, LC_CTYPE, LANG, OS }: Terminal['env']): boolean {
  // Windows has no such variables, and terminals that draw Unicode.
  if (OS === 'Windows_NT') return false;
  return !/utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || 'POSIX');
}

/**
 * Takes the terminal; to be closed again, and given back also where this process cannot. `ascii`: even where the locale
 * could do more.
 */
export function screenOn(
  terminal: Terminal,
  { ascii, mouse }: { readonly ascii: boolean; readonly mouse: boolean },
): Screen {
  // Before the terminal is taken: it remembers what it finds.
  const guard = terminal.guard?.(giveBack);
  const screen = openScreen({
    ascii: ascii || isAsciiLocale(terminal.env),
    color: hasColor(terminal),
    ...{ env: terminal.env, mouse },
    textWidth: (text) => terminal.textWidth(text),
    onClosed: () => guard?.give(),
  });
  guard?.take();
  return screen;
}

export const ui: ClientAction<typeof uiOptions> = async ({ client, connect, terminal }, values) => {
  checkTerminal(terminal);
  // A dispatcher that is not there at the start is more likely a wrong address than a lost one.
  const { name, role } = await client.trust.whoami();
  if (role === 'worker') throw usage(`The token of ${name} has the role worker, which sees no tasks. ${otherRole}`);
  const screen = screenOn(terminal, values);
  try {
    const signal = await runDashboard({
      connect: (onLost) => connect({ onLost, timeoutMs: answerMs }),
      ...{ screen, role, followLog: null, leaving: null },
      now: () => terminal.now(),
      onStop: (listener) => terminal.onSignal(listener),
    });
    return signal === null ? 0 : exitOfSignal(signal);
  } finally {
    screen.close();
  }
};
