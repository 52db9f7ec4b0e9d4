/**
 * The reader's pager: what PAGER says, by the shell as other programs do (POSIX, environ(7)), else less or more. It is given
 * nothing of the environment that is Octaskly's own, which may hold a token.
 */

/** `-F`: no pager for what fits on the screen; `-R`: colours; `-X`: the text stays when it ends. As git has them. */
const lessOptions = 'FRX';

/** Shows `text` to its end; false: there is no pager, nothing was shown. Must have a terminal. */
export async function showInPager(text: string, env: Readonly<Record<string, string | undefined>>): Promise<boolean> {
  const named = env.PAGER?.trim();
  const program = named ?? ['less', 'more'].find((name) => Bun.which(name, { PATH: env.PATH ?? '' }) !== null);
  if (!program || program === 'cat' || Bun.which('sh', { PATH: env.PATH ?? '' }) === null) return false;
  const own = Object.entries(env).filter(([name, value]) => !name.startsWith('OCTASKLY_') && value !== undefined);
  const child = Bun.spawn(['sh', '-c', program], {
    // In the C locale less would show bytes.
    env: { LESS: lessOptions, LESSCHARSET: 'utf-8', ...Object.fromEntries(own) },
    stdin: 'pipe',
    stdout: 'inherit',
    stderr: 'inherit',
  });
  // Ctrl-C is the pager's while it runs, and a reader who has seen enough closes the pipe.
  const ignore = (): void => undefined;
  process.on('SIGINT', ignore);
  try {
    child.stdin.write(text);
    await Promise.resolve(child.stdin.end()).catch(ignore);
    // 126 and 127: the shell could not start it.
    return ![126, 127].includes(await child.exited);
  } finally {
    process.off('SIGINT', ignore);
  }
}
