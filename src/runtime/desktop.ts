/**
 * A message on the desktop of whoever sits here, by the program the system has for that. Starts it with arguments, never by
 * a shell, and with the few variables it needs; leaves it after `timeoutMs`. Nothing is kept of what it says.
 */

import { platform } from 'node:os';

/** A notification daemon that hangs must not hold up the end of a command. */
const timeoutMs = 3000;
/** What these programs need to find the session they speak to. */
const passed = [
  ...['PATH', 'HOME', 'USER', 'LANG', 'TMPDIR', 'PREFIX', 'LD_LIBRARY_PATH', 'LD_PRELOAD'],
  ...['DISPLAY', 'WAYLAND_DISPLAY', 'XAUTHORITY', 'DBUS_SESSION_BUS_ADDRESS', 'XDG_RUNTIME_DIR'],
];

/** The program and its arguments; texts are arguments of their own and come after what ends the options. */
function commandFor(title: string, text: string): { readonly name: string; readonly args: readonly string[] }[] {
  const script = 'on run argv\ndisplay notification (item 2 of argv) with title (item 1 of argv)\nend run';
  if (platform() === 'darwin') return [{ name: 'osascript', args: ['-e', script, title, text] }];
  return [
    { name: 'termux-notification', args: ['--title', title, '--content', text] },
    { name: 'notify-send', args: ['--app-name=octaskly', '--', title, text] },
  ];
}

/** Shows it; false when there is no program for that or it failed. Never throws. */
export async function notifyDesktop(title: string, text: string): Promise<boolean> {
  const env = Object.fromEntries(
    passed.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
  for (const { name, args } of commandFor(title, text)) {
    const path = Bun.which(name, { PATH: env.PATH ?? '' });
    if (path === null) continue;
    try {
      const silent = { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' } as const;
      const child = Bun.spawn([path, ...args], { ...silent, env, timeout: timeoutMs, killSignal: 'SIGKILL' });
      if ((await child.exited) === 0) return true;
    } catch {
      // It is there and cannot be started: as if it were not there.
    }
  }
  return false;
}
