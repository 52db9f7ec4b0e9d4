/**
 * The file this program was started from, as something to be replaced: where it is and whose, a draft beside it that is
 * tried before it counts, and the swap of names.
 *
 * Deliberately not here: where another version comes from and whether it is to be trusted (`roles/update.ts`); in which
 * order names change (`core/program-steps.ts`). Processes that run go on with the file they were started from.
 * Invariants: the program's name always leads to a whole program; a draft has the program's owner and mode, was tried,
 * and is on the disk before it takes that name; one that was left behind is removed by whoever comes next.
 */

import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import {
  type FileStep,
  mendSteps,
  type ProgramPlaces,
  rollbackSteps,
  type SpareFacts,
  swapSteps,
  takeBackSteps,
} from '../core/program-steps.ts';
import { build, version } from '../version.ts';
import { freeBytesOf, hasCode, readRange, sliceBytes } from './file-bytes.ts';
import { openFlock } from './libc.ts';
import { sha256OfFile } from './program-bytes.ts';
import { syncDirectory, syncFile } from './store-files.ts';
import { askTool } from './tool-answer.ts';

/** Longest a new program may take to say its version, ms: a Pi reads 120 MB from a slow card first. */
const tryMsMax = 120_000;
const askOwnerMs = 5000;
/** Left free beside a new program, bytes. */
const reserveBytes = 4 * 2 ** 20;
const isWindows = process.platform === 'win32';

/** Path of the file that was started, links resolved. Error: `usage` where there is none, as it runs from its sources. */
export function ownProgram(): string {
  if (build.target !== null) return resolved(process.execPath);
  throw new OctasklyError(
    'usage',
    'This runs from its sources, and there is no program to replace: update the sources (git pull), or build the file (bun run build) and start that.',
  );
}

function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // Where this account may not even look it cannot replace anything either, as `writeRefusal` then says.
    return path;
  }
}

/** Names around `program`; drafts and spares are of this process. */
export function placesOf(program: string): ProgramPlaces {
  const [directory, name] = [dirname(program), basename(program)];
  const [stem, end] = name.endsWith('.exe') ? [name.slice(0, -4), '.exe'] : [name, ''];
  const own = (kind: string): string => join(directory, `.${stem}.${process.pid}.${kind}${end}`);
  const draft = own('new');
  const previous = join(directory, `${stem}.previous${end}`);
  return { program, previous, draft, spare: own('spare'), aside: `${draft}.aside` };
}

/** Why this account cannot replace the program, as part of a sentence; null = it can. */
export function writeRefusal(program: string): string | null {
  const directory = dirname(program);
  try {
    accessSync(directory, constants.W_OK);
    return null;
  } catch (error) {
    return `this account cannot write to ${directory}, where its program is: ${reasonOf(error)}`;
  }
}

/** Error: `forbidden` where this account may not replace the program, or a package manager looks after it. */
export async function requireReplaceable(program: string): Promise<void> {
  const manager = await managerOf(program);
  if (manager !== null) {
    const message = `"${program}" belongs to the package ${manager.name}: update it by its package manager (${manager.how}).`;
    throw new OctasklyError('forbidden', message);
  }
  const refusal = writeRefusal(program);
  if (refusal === null) return;
  const how = isWindows ? 'in a console of an administrator' : 'with sudo';
  // More rights than those of root, or on a disk that can only be read, are of no use.
  const next = process.getuid?.() === 0 ? '' : ` Run it ${how}.`;
  throw new OctasklyError('forbidden', `Cannot replace "${program}": ${refusal}.${next}`);
}

async function managerOf(program: string): Promise<{ readonly name: string; readonly how: string } | null> {
  if (process.platform !== 'linux') return null;
  const deb = await askTool(['dpkg-query', '-S', program], askOwnerMs);
  const debian = deb?.status === 0 ? /^([^:\s]+):/.exec(deb.text)?.[1] : undefined;
  if (debian !== undefined) return { name: debian, how: `sudo apt install --only-upgrade ${debian}` };
  const rpm = await askTool(['rpm', '-qf', '--queryformat', '%{NAME}', program], askOwnerMs);
  const name = rpm?.status === 0 ? /^\S+$/.exec(rpm.text)?.[0] : undefined;
  return name === undefined ? null : { name, how: `sudo dnf upgrade ${name}` };
}

/** Room for `bytes` beside the program, and a little more. Errors: `io`, the system's own. */
export function requireRoom(program: string, bytes: number): void {
  const directory = dirname(program);
  const free = freeBytesOf(directory);
  if (free >= bytes + reserveBytes) return;
  const mb = (count: number): string => `${Math.ceil(count / 2 ** 20)} MB`;
  throw new OctasklyError(
    'io',
    `There is no room for the new program in ${directory}: ${mb(bytes + reserveBytes)} are needed, ${mb(free)} are free.`,
  );
}

/** Gives a draft the mode and owner of the program, and sees to it that it is on the disk. Error: `io`. */
export function finishDraft({ program, draft }: ProgramPlaces): void {
  onDisk(`Cannot make "${draft}" ready`, () => {
    const { mode, uid, gid } = statSync(program);
    chmodSync(draft, mode & 0o777);
    if (process.getuid?.() === 0) chownSync(draft, uid, gid);
    syncFile(draft);
  });
}

/** Starts a program to hear whether it is that version. Error: `io` with what it said instead. */
export async function tryProgram(path: string, wanted: string): Promise<void> {
  const answer = await askTool([path, 'version'], tryMsMax);
  if (answer?.status === 0 && answer.text.trim() === `octaskly ${wanted}`) return;
  const said = answer?.text.trim().slice(0, 300) ?? '';
  const ended =
    answer === null
      ? 'it cannot be started here'
      : answer.status === null
        ? `it did not end within ${tryMsMax / 1000} s`
        : `it ended with ${answer.status}`;
  throw new OctasklyError(
    'io',
    `The new program does not run here and was not taken: asked for its version (${wanted}), ${ended}${said === '' ? '.' : `, and said: ${said}`}`,
  );
}

/** Which file a program's name leads to; what replaces it is another. */
export type ProgramIdentity = string;

/** Error: `io`. */
export function identityOf(program: string): ProgramIdentity {
  return onDisk(`Cannot look at "${program}"`, () => {
    const { dev, ino, size, mtimeMs } = statSync(program);
    return [dev, ino, size, mtimeMs].join(' ');
  });
}

/**
 * The draft becomes the program; what was there becomes the previous one. A draft that is the program already, as another
 * process was faster, is dropped, so that the previous one stays what it was. `seen`: what may be replaced, null = whatever
 * is there. Errors: `conflict` where it is another by now, `io`.
 */
export async function swapProgram(places: ProgramPlaces, seen: ProgramIdentity | null): Promise<void> {
  const { program, draft } = places;
  if (
    statSync(program).size === statSync(draft).size &&
    (await sha256OfFile(program)) === (await sha256OfFile(draft))
  ) {
    dropDraft(places);
    return;
  }
  alone(program, () => {
    requireUnchanged(program, seen);
    try {
      carryOut(swapSteps(places, isWindows), places);
    } catch (error) {
      carryOut(takeBackSteps(places), places);
      throw error;
    }
  });
}

/** Whether a file is another is looked at while nobody changes names: between two steps of theirs a version could be lost. */
function alone(program: string, work: () => void): void {
  // Windows opens no directory, and renames nothing over what is there.
  const lock = isWindows ? null : openFlock();
  if (lock === null) {
    work();
    return;
  }
  const directory = onDisk(`Cannot replace "${program}"`, () => openSync(dirname(program), 'r'));
  try {
    if (!lock(directory)) throw replacedError(program, 'is being replaced by somebody else just now');
    work();
  } finally {
    closeSync(directory);
  }
}

/** Error: `conflict`. */
function requireUnchanged(program: string, seen: ProgramIdentity | null): void {
  if (seen === null || identityOf(program) === seen) return;
  throw replacedError(program, 'was replaced by somebody else meanwhile, and stays as it is now');
}

function replacedError(program: string, what: string): OctasklyError {
  return new OctasklyError('conflict', `"${program}" ${what}: look at 'octaskly version', and do it again.`);
}

/** Removes a draft, and what it was being made of. Never throws. */
export function dropDraft({ draft }: ProgramPlaces): void {
  try {
    const directory = dirname(draft);
    for (const left of readdirSync(directory)) {
      if (left.startsWith(basename(draft))) rmSync(join(directory, left), { force: true });
    }
  } catch {
    // The next one clears it away.
  }
}

/**
 * Program and previous one change places. `seen`: what may be replaced, null = whatever is there. Errors: `not_found` where
 * there is no previous one, `conflict` where the program is another by now, `io`.
 */
export function rollBackProgram(places: ProgramPlaces, seen: ProgramIdentity | null): void {
  alone(places.program, () => {
    requireUnchanged(places.program, seen);
    requirePrevious(places);
    carryOut(rollbackSteps(places, isWindows), places);
  });
}

/** Error: `not_found`. */
export function requirePrevious({ program, previous }: ProgramPlaces): void {
  if (existsSync(previous) && !isSameFile(program, previous)) return;
  throw new OctasklyError(
    'not_found',
    `There is no version before this one: ${previous} is kept from the first 'octaskly update' on.`,
  );
}

function carryOut(steps: readonly FileStep[], { program }: ProgramPlaces): void {
  onDisk(`Cannot replace "${program}"`, () => {
    for (const step of steps) takeStep(step);
    syncDirectory(dirname(program));
  });
}

/** One step of a list; a file that comes to be by it is there whole or not at all. Errors: the system's own. */
export function takeStep(step: FileStep): void {
  switch (step.kind) {
    case 'displace':
      if (!existsSync(step.from)) return;
      renameSync(step.from, step.to);
      return;
    case 'rename':
      renameSync(step.from, step.to);
      return;
    case 'remove':
      try {
        rmSync(step.from, { force: true });
      } catch {
        // It runs, on Windows; whoever comes next removes it.
      }
      return;
    case 'link':
      rmSync(step.to, { force: true });
      try {
        linkSync(step.from, step.to);
      } catch {
        copyFileSync(step.from, `${step.to}.part`);
        syncFile(`${step.to}.part`);
        renameSync(`${step.to}.part`, step.to);
      }
  }
}

/** Drafts and spares, with what they were being made of. */
const leftPattern = /^\.(.+)\.(\d+)\.(new|spare)(?:\.[a-z.]+)?$/;

/** Clears away what operations have left that broke off, or finishes them. Never throws. */
export function mendProgram(program: string): void {
  const own = placesOf(program);
  try {
    const name = basename(own.spare).replace(`.${process.pid}.spare`, '');
    const stem = name.replace(/^\.|\.exe$/g, '');
    for (const left of readdirSync(dirname(program))) {
      const found = leftPattern.exec(left);
      if (found === null || found[1] !== stem || isOthers(Number(found[2]))) continue;
      const path = join(dirname(program), left);
      const places = { ...own, spare: path };
      if (found[3] === 'new' || left.endsWith('.part')) rmSync(path, { force: true });
      else for (const step of mendSteps(places, factsOf(places))) takeStep(step);
    }
  } catch {
    // Somebody else's directory, or just being changed: the next one looks again.
  }
}

function factsOf({ program, spare }: ProgramPlaces): SpareFacts {
  const hasProgram = existsSync(program);
  return { hasProgram, isSpareTheProgram: hasProgram && holdTheSame(program, spare), isWindows };
}

/** Two names of a file, or a copy of it where there are no second names. Errors: the system's own. */
function holdTheSame(a: string, b: string): boolean {
  if (isSameFile(a, b)) return true;
  const { size } = statSync(a);
  if (statSync(b).size !== size) return false;
  for (let at = 0; at < size; at += sliceBytes) {
    if (Buffer.compare(readRange(a, at, sliceBytes), readRange(b, at, sliceBytes)) !== 0) return false;
  }
  return true;
}

function isSameFile(a: string, b: string): boolean {
  const [left, right] = [statSync(a), statSync(b)];
  return left.ino === right.ino && left.dev === right.dev;
}

/** Another process is at it; of this one nothing is under way when it looks. */
function isOthers(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, 'EPERM');
  }
}

function onDisk<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new OctasklyError('io', `${what}: ${reasonOf(cause)}. ${version} stays.`, { cause });
  }
}
