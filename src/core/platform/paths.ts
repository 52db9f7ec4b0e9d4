/**
 * What each system's disks can hold: names that Windows keeps for itself, names that are one and the same on Windows and
 * macOS. A file whose name cannot be there is refused before anything is written: written all the same it would go to a
 * device, into another file's hidden stream, or over a file of its own task. Pure.
 *
 * Deliberately not here: what no system takes (`core/files.ts`); line ends, which are nobody's business but the task's.
 * References: "Naming Files, Paths, and Namespaces" (Microsoft), APFS: names are compared without case and normalized.
 */

/** Devices of Windows, with whatever behind a dot: `nul.txt` is `NUL`. The digits may be raised ones too. */
const device = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])[ ]*(\.|:|$)/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is these that Windows does not take.
const forbidden = /[<>:"|?*\\\u0000-\u001f]/;

/** Why `path`, parts separated by `/`, cannot be a file on `platform`, as the end of the sentence "it …"; null when it can. */
export function nameProblemOn(platform: string, path: string): string | null {
  if (platform !== 'win32') return null;
  for (const part of path.split('/')) {
    const found = forbidden.exec(part);
    if (found !== null) return `holds ${JSON.stringify(found[0])}, which no name has on Windows`;
    if (device.test(part)) return `holds "${part}", which is a device on Windows`;
    if (/[. ]$/.test(part)) return `holds "${part}", and Windows leaves out the dot or space at the end of a name`;
  }
  return null;
}

/**
 * What two names have in common that are one and the same file on `platform`. By capitals, since small letters are not
 * always the same for the same capital: the sigma at the end of a word is another one.
 */
export function foldedOn(platform: string, path: string): string {
  if (platform === 'win32') return capitals(path);
  return platform === 'darwin' ? path.normalize('NFD').toUpperCase() : path;
}

/** Windows knows a capital where one character becomes one: `ß` is no `SS` there. */
function capitals(text: string): string {
  return text.replace(/./gsu, (letter) => {
    const capital = letter.toUpperCase();
    return capital.length === letter.length ? capital : letter;
  });
}

/** The first of `paths` that cannot lie on `platform` with those before it, and why; null when all can. */
export function namesProblemOn(
  platform: string,
  paths: readonly string[],
): { readonly index: number; readonly problem: string } | null {
  const known = new Map<string, string>();
  for (const [index, path] of paths.entries()) {
    const problem = nameProblemOn(platform, path);
    if (problem !== null) return { index, problem };
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      const name = path.slice(0, end);
      const folded = foldedOn(platform, name);
      const other = known.get(folded) ?? name;
      if (other !== name) return { index, problem: `is the same there as "${other}"` };
      known.set(folded, name);
    }
  }
  return null;
}

/** Whether a directory a task names stands by itself, or below the task's own. */
export function isAbsoluteOn(platform: string, path: string): boolean {
  return platform === 'win32' ? /^([A-Za-z]:[\\/]|[\\/])/.test(path) : path.startsWith('/');
}

/** `directory` and a path below it, as `platform` writes it. */
export function joinOn(platform: string, directory: string, path: string): string {
  return platform === 'win32' ? `${directory}\\${path.replaceAll('/', '\\')}` : `${directory}/${path}`;
}
