/**
 * `octaskly update` on this machine: finds the other version, has it checked and tried, puts it in the place of this
 * program, keeps what was there, and has services started anew. Interrupted at any point it leaves a whole program.
 */

import { OctasklyError } from '../base/errors.ts';
import { note, type Terminal } from '../cli/context.ts';
import { withProgress } from '../cli/progress.ts';
import type { ProgramUpdate } from '../cli/update.ts';
import { judgeVersion, versionPattern } from '../core/update.ts';
import {
  dropDraft,
  finishDraft,
  identityOf,
  mendProgram,
  ownProgram,
  type ProgramIdentity,
  placesOf,
  requirePrevious,
  requireReplaceable,
  requireRoom,
  rollBackProgram,
  swapProgram,
  tryProgram,
} from '../runtime/program-file.ts';
import { askTool } from '../runtime/tool-answer.ts';
import { version } from '../version.ts';
import { restartServices } from './update-services.ts';
import { type Candidate, candidateFrom } from './update-source.ts';

/** Exit status of `--check` when there is another version. */
const anotherStatus = 10;
const versionMsMax = 120_000;

/** Exit status as `octaskly update --help` has it. Errors: `usage`, `forbidden`, `conflict`, `not_found`, `unreachable`, `io`. */
export async function runUpdate(request: ProgramUpdate, terminal: Terminal): Promise<number> {
  const { source, dryRun } = request;
  const program = ownProgram();
  mendProgram(program);
  const seen = identityOf(program);
  if (source === null) return goBack(program, request, { seen, terminal });
  const candidate = await candidateFrom(source, request);
  requireWanted(candidate, request);
  const judgement = judgeVersion(version, candidate.version, request.allowDowngrade);
  const { from } = candidate;
  if (judgement === 'same') {
    await terminal.stdout.write(`octaskly ${version} is what ${from} has: there is nothing to do.\n`);
    return 0;
  }
  if (request.action === 'check') {
    const kind = judgement === 'newer' ? '' : ', an earlier version';
    await terminal.stdout.write(`octaskly ${candidate.version} is at ${from}${kind}; this is ${version}.\n`);
    return judgement === 'newer' || judgement === 'older' ? anotherStatus : 0;
  }
  if (judgement === 'refused') {
    throw new OctasklyError(
      'conflict',
      `octaskly ${candidate.version} at ${from} is earlier than this, ${version}: somebody may be showing you an old one. If you mean it, add --allow-downgrade.`,
    );
  }
  await requireReplaceable(program);
  requireRoom(program, candidate.roomBytes);
  if (dryRun) {
    await terminal.stdout.write(
      `Would fetch octaskly ${candidate.version} from ${from}, check and try it, put it in the place of ${program} (${version}), and keep that as ${placesOf(program).previous}.\n`,
    );
    return 0;
  }
  await replace(program, candidate, { restart: request.restart, seen, terminal });
  return 0;
}

function requireWanted(candidate: Candidate, { version: wanted }: ProgramUpdate): void {
  if (wanted === null || wanted === candidate.version) return;
  if (!versionPattern.test(wanted)) {
    throw new OctasklyError('usage', `--version "${wanted}" is no version: it must be like 1.2.3.`);
  }
  const next = 'leave out --version to take that, or name another release with --from';
  throw new OctasklyError('not_found', `${candidate.from} has octaskly ${candidate.version}, not ${wanted}: ${next}.`);
}

interface Replacing {
  readonly terminal: Terminal;
  readonly restart: boolean;
  /** What the other version was compared with. */
  readonly seen: ProgramIdentity;
}

async function replace(program: string, candidate: Candidate, { terminal, restart, seen }: Replacing): Promise<void> {
  const places = placesOf(program);
  const { version: wanted, from, notice, fetchBytes } = candidate;
  if (notice !== null) await note(terminal, notice);
  await note(terminal, `fetching octaskly ${wanted} from ${from} ...`);
  // A signal ends the process: what is half done is cleared away first.
  const quietly = terminal.onSignal(() => {
    dropDraft(places);
    process.exit(130);
  });
  try {
    const total = fetchBytes;
    await withProgress(terminal, { verb: 'Fetching', total }, ({ moved }) => candidate.fetch(places.draft, moved));
    await note(terminal, 'checked; trying it ...');
    finishDraft(places);
    await tryProgram(places.draft, wanted);
    await swapProgram(places, seen);
  } catch (error) {
    dropDraft(places);
    throw error;
  } finally {
    quietly();
  }
  await terminal.stdout.write(
    `${program} is octaskly ${wanted} now; ${version} is kept for 'octaskly update --rollback'.\n`,
  );
  await restartServices(program, restart, terminal);
}

async function goBack(
  program: string,
  { dryRun, restart, version: wanted }: ProgramUpdate,
  { seen, terminal }: Pick<Replacing, 'seen' | 'terminal'>,
): Promise<number> {
  const places = placesOf(program);
  requirePrevious(places);
  await requireReplaceable(program);
  const before = await versionOf(places.previous);
  if (wanted !== null && wanted !== before) {
    throw new OctasklyError(
      'not_found',
      `What is kept is octaskly ${before}, not ${wanted}: leave out --version to go back to it.`,
    );
  }
  if (dryRun) {
    await terminal.stdout.write(`Would go back from octaskly ${version} to ${before} (${places.previous}).\n`);
    return 0;
  }
  rollBackProgram(places, seen);
  await terminal.stdout.write(
    `${program} is octaskly ${before} again; ${version} is kept for 'octaskly update --rollback'.\n`,
  );
  await restartServices(program, restart, terminal);
  return 0;
}

/** The version a program says it is. Error: `io` when it does not run. */
async function versionOf(path: string): Promise<string> {
  const answer = await askTool([path, 'version'], versionMsMax);
  const said = /^octaskly (\S+)$/.exec(answer?.text.trim() ?? '')?.[1];
  if (answer?.status === 0 && said !== undefined) return said;
  const what = answer?.text.trim().slice(0, 300) || 'nothing';
  throw new OctasklyError(
    'io',
    `"${path}" does not run here, so nothing was changed; asked for its version it said: ${what}`,
  );
}
