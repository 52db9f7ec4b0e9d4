/** What `bun test/platform/main.ts` can be told to run, by name: test files, and what of them. Starts nothing. */

interface Platform {
  readonly files: readonly string[];
  /** Of what the files test, this alone. */
  readonly targets?: readonly string[];
}

const platforms = new Map<string, Platform>([
  ['arm64', { files: ['arm64.test.ts'] }],
  ['arm64-musl', { files: ['musl.test.ts'], targets: ['linux-arm64-musl'] }],
  ['x64-musl', { files: ['musl.test.ts'], targets: ['linux-x64-musl'] }],
  ['armv7', { files: ['node.test.ts', 'armv7.test.ts'] }],
  ['windows', { files: ['windows.test.ts'] }],
  ['powershell', { files: ['powershell.test.ts'] }],
  ['formats', { files: ['formats.test.ts'] }],
  ['packages', { files: ['packages.test.ts', 'packages-windows.test.ts'] }],
]);

export const usage = `bun run platforms [${[...platforms.keys()].join('|')}]...`;

/** How the tests of one of them are run in full. */
export const inFull = (name: string): string => `bun run platforms ${name}`;

/** What is to be run. */
export interface Chosen {
  /** Names of test files here, each once. */
  readonly files: readonly string[];
  /** The targets tested, where not all are. */
  readonly targets: readonly string[];
}

/** What `names` name, all when there are none; the sentence that says which of them is no name. */
export function choose(names: readonly string[]): Chosen | string {
  const wrong = names.find((name) => !platforms.has(name));
  if (wrong !== undefined) return `there is no ${JSON.stringify(wrong)}; it should be: ${usage}`;
  const chosen = [...platforms].filter(([name]) => names.length === 0 || names.includes(name));
  return {
    files: [...new Set(chosen.flatMap(([, { files }]) => files))],
    targets: chosen.flatMap(([, { targets = [] }]) => targets),
  };
}
