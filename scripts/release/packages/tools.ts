/**
 * Runs the tools that packages are made with, away from whoever runs them: no home, no locale, no zone, and one time for
 * all, by which reproducible-builds.org has them make the same of the same (SOURCE_DATE_EPOCH).
 */

import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Longest a tool may take, ms: packing the largest program on a slow machine takes minutes. */
const toolMsMax = 30 * 60_000;

export interface ToolPlace {
  /** Where it runs. */
  readonly cwd: string;
  /** The time of the commit. */
  readonly date: Date;
}

/** Seconds since 1970, as tools want them. */
function epochOf(date: Date): string {
  return String(Math.floor(date.getTime() / 1000));
}

/** Throws with what the tool said when it fails, or takes half an hour. */
export function runTool(command: readonly [string, ...string[]], { cwd, date }: ToolPlace): void {
  const env = { PATH: process.env.PATH ?? '', HOME: cwd, TMPDIR: cwd, LC_ALL: 'C', TZ: 'UTC' };
  const { exitCode, signalCode, stdout, stderr } = Bun.spawnSync([...command], {
    ...{ cwd, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe', timeout: toolMsMax },
    env: { ...env, SOURCE_DATE_EPOCH: epochOf(date) },
  });
  if (exitCode !== 0) throw new Error(`${command[0]} ended with ${exitCode ?? signalCode}: ${stdout}${stderr}`);
}

/** Does `work` in a directory of its own within `out`, which is gone afterwards whatever comes of it. */
export function inWorkplace<T>(out: string, work: (place: string) => T): T {
  const place = mkdtempSync(join(out, '.package-'));
  try {
    return work(place);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** Does `work` with another name of a directory: spaces and such in its own, rpmbuild and makensis take for something else. */
export function underPlainName<T>(directory: string, work: (name: string) => T): T {
  if (/^[\w./-]+$/.test(directory)) return work(directory);
  const place = mkdtempSync(join(tmpdir(), 'octaskly-name-'));
  try {
    const name = join(place, 'it');
    symlinkSync(directory, name);
    return work(name);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
