/**
 * For how long nobody has touched this machine: neither keyboard nor mouse, at the machine or from afar.
 *
 *   Linux     the terminal that was typed in last, as w(1) tells it (a terminal's access time is when it was last read
 *             from, to 8 s); where a desktop runs, also what it told logind (`IdleHint`): not idle is touched now
 *   macOS     `HIDIdleTime` of the I/O registry        Windows   GetLastInputInfo
 *
 * Terminals that this process opened for tasks are not counted: whoever types there uses the task, not the machine.
 * Deliberately not here: how long is long enough (`core/conditions.ts`). Android tells nobody.
 * Invariants: never throws, never waits; programs are asked in the background. Reference: org.freedesktop.login1(5).
 */

import { join } from 'node:path';
import { idleSince, inputAt } from './power-answers.ts';
import { slowReading } from './slow-reading.ts';
import { accessedAt, linkOf, namesIn, textOf } from './small-files.ts';
import { askTool } from './tool-answer.ts';
import { secondsSinceInput } from './windows-power.ts';

const toolMsMax = 3000;
const askEveryMs = 15_000;

const logind = ['org.freedesktop.login1', '/org/freedesktop/login1', 'org.freedesktop.login1.Manager'] as const;

const onDesktop = slowReading(askEveryMs, async () => {
  const answer = await askTool(['busctl', 'get-property', ...logind, 'IdleHint', 'IdleSinceHint'], toolMsMax);
  return answer?.status === 0 ? idleSince(answer.text, Date.now()) : null;
});

const onMac = slowReading(askEveryMs, async () => {
  const answer = await askTool(['/usr/sbin/ioreg', '-rd1', '-c', 'IOHIDSystem'], toolMsMax);
  return answer?.status === 0 ? inputAt(answer.text, Date.now()) : null;
});

/** Seconds since somebody last typed or moved the mouse; null where that cannot be told. May be 15 s behind. */
export function untouchedSeconds(): number | null {
  switch (process.platform) {
    case 'linux':
      return secondsSince([terminalUsedAt(), hasDesktop() ? onDesktop.latest() : null]);
    case 'darwin':
      return secondsSince([onMac.latest()]);
    case 'win32':
      return secondsSinceInput();
    default:
      return null;
  }
}

function secondsSince(instants: readonly (number | null)[]): number | null {
  const known = instants.filter((at) => at !== null);
  return known.length === 0 ? null : Math.max(0, (Date.now() - Math.max(...known)) / 1000);
}

/** When a terminal was last typed in, ms since 1970; null without terminals. `root`: where `/dev` and `/proc` are. */
export function terminalUsedAt(root = '/'): number | null {
  const own = ownTerminals(root);
  const remote = namesIn(join(root, 'dev/pts')).filter((name) => /^\d+$/.test(name) && !own.has(name));
  const local = namesIn(join(root, 'dev')).filter((name) => /^tty[1-9]\d?$/.test(name));
  const paths = [...remote.map((name) => join(root, 'dev/pts', name)), ...local.map((name) => join(root, 'dev', name))];
  const used = paths.map(accessedAt).filter((at) => at !== null);
  return used.length === 0 ? null : Math.max(...used);
}

/** Numbers of the pseudo-terminals whose other end this process holds. */
function ownTerminals(root: string): ReadonlySet<string> {
  const folder = join(root, 'proc/self');
  const masters = namesIn(join(folder, 'fd')).filter((fd) => /\/ptmx$/.test(linkOf(join(folder, 'fd', fd)) ?? ''));
  const numbers = masters.map((fd) => /^tty-index:\s*(\d+)/m.exec(textOf(join(folder, 'fdinfo', fd)) ?? '')?.[1]);
  return new Set(numbers.filter((number) => number !== undefined));
}

/** Somebody is logged in to a desktop. `root`: where `/run` is. */
export function hasDesktop(root = '/'): boolean {
  const folder = join(root, 'run/systemd/sessions');
  return namesIn(folder).some((name) => {
    const text = textOf(join(folder, name)) ?? '';
    return /^TYPE=(x11|wayland|mir)$/m.test(text) && /^CLASS=user$/m.test(text);
  });
}
