/**
 * A small shell that gives the terminal back when this process cannot: after SIGKILL, or a crash of the runtime itself.
 *
 * It waits at the end of a pipe. Word that the terminal was given back makes it go quietly; the end of the pipe without
 * that means that nobody is left to do it. Then it sends the bytes it was given, and sets the line settings as they were,
 * unless somebody (the shell that started us) has set others meanwhile. It costs a process of about 1 MB.
 * Deliberately not here: which bytes; signals that a process can answer. Where there is no `sh` or no `stty`, there is no
 * guard. Killed together with its whole group, it can do nothing either. What the shell said before the screen was given
 * back (its prompt) may be gone with the other screen; the sentence at the end says what happened.
 * References: stty(1), "-g"; termios(3) and credentials(7): a process in the background whose SIGTTOU is ignored may
 * set a terminal.
 */

import process from 'node:process';

/** `taken` is sent when the terminal is as the program wants it. */
const script = `trap '' HUP INT QUIT TERM TSTP TTIN TTOU
exec 3>&1
taken= word=
while read -r word; do
  case $word in
    taken) taken=$(stty -g <&3) ;;
    given) exit 0 ;;
  esac
done
[ -n "$taken" ] || exit 0
printf %s "$1"
[ "$(stty -g <&3)" = "$taken" ] && stty "$2" <&3
echo 'octaskly: the dashboard was killed or crashed; the terminal is as it was'`;

/**
 * Watches over the terminal of standard input and output, which must be one, from now on. `bytes` is what it is sent
 * when this process ends without a word. `take` is to be called when the terminal has its new settings, `give` when it
 * has been given back. Never throws.
 */
export function guardTerminal(bytes: string): { take(): void; give(): void } {
  const { PATH = '/usr/bin:/bin' } = process.env;
  const [sh, stty] = ['sh', 'stty'].map((name) => Bun.which(name, { PATH }));
  if (process.platform === 'win32' || !sh || !stty) return { take() {}, give() {} };
  const found = Bun.spawnSync([stty, '-g'], { env: { PATH }, stdio: ['inherit', 'pipe', 'ignore'] });
  const words = [bytes, found.stdout.toString().trim()];
  const guard = Bun.spawn([sh, '-c', script, 'octaskly-guard', ...words], {
    env: { PATH },
    stdio: ['pipe', 'inherit', 'ignore'],
  });
  guard.unref();
  const say = (word: string): void => {
    try {
      guard.stdin.write(`${word}\n`);
      guard.stdin.flush();
    } catch {
      // It is gone: nobody watches, as without one.
    }
  };
  const give = (): void => {
    process.off('exit', give);
    say('given');
  };
  // Whoever gets as far as this has given the terminal back.
  process.on('exit', give);
  return { take: () => say('taken'), give };
}
