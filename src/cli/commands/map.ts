/**
 * `map CMD ::: ARG...`: one task for each combination of arguments, printed as they end. The parts are in `../map/`; here
 * the options become a plan, and an interruption an orderly end.
 */

import { limits } from '../../api/limits.ts';
import { OctasklyError, reasonOf } from '../../base/errors.ts';
import { harmless } from '../../base/harmless.ts';
import type { mapOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { BrokenPipe, type CommandContext, note } from '../context.ts';
import { readArguments } from '../map/arguments.ts';
import { Bar, type BarKind } from '../map/bar.ts';
import { Collector } from '../map/collector.ts';
import { HaltCount } from '../map/halt.ts';
import { JobFileFinder } from '../map/job-files.ts';
import { isSameCommand, joblogTitle, jobsDone, wholeLines } from '../map/joblog.ts';
import { jobsAtOnce } from '../map/pace.ts';
import { commandOf, foreignPlaceholder, type JobFacts, Placeholders } from '../map/placeholders.ts';
import { type JobForm, JobQueue } from '../map/queue.ts';
import { Results } from '../map/results.ts';
import { MapRun } from '../map/running.ts';
import { splitSources } from '../map/sources.ts';
import { LinePrefix } from '../map/tagging.ts';
import { announceMap, checkNotify } from '../notify.ts';
import { type Pair, parsePair, type Values } from '../option.ts';
import { usage } from '../parse.ts';
import { requestOf } from '../request.ts';
import { eachOf } from '../several.ts';
import { exitOfSignal } from '../status.ts';

type MapValues = Values<typeof mapOptions>;

/** Most characters of a command in a sentence. */
const commandShownMax = 80;

/** What the options and words ask for, with the arguments opened. */
async function planOf(context: CommandContext, values: MapValues, words: readonly string[]) {
  const { command, groups } = splitSources(words, values.argFile);
  if (groups.length === 0 && context.terminal.stdin.isTTY) {
    throw usage('Arguments are missing: give them behind :::, with -a FILE or on standard input.');
  }
  const rowsAtOnce = values.maxReplaceArgs ?? values.maxArgs ?? 1;
  const sources = groups.length === 0 ? [[{ kind: 'file', path: '-' } as const]] : groups;
  const read = await readArguments(context, sources, {
    delimiter: values.null ? '\0' : (values.delimiter ?? '\n'),
    columns: values.columns ?? null,
    trim: values.trim,
    header: values.header === true,
    linked: values.link,
    rowsAtOnce,
    skipsEmpty: values.noRunIfEmpty,
    counted: values.halt?.isPercent === true,
  });
  const whole = values.replace ?? '{}';
  const placeholders = new Placeholders({ whole, names: read.names });
  const tagString = values.tagString?.replaceAll('\\t', '\t');
  const tag = tagString ?? (values.tag.includes('') ? whole : null);
  checkForeign(
    [command.join(' '), tagString ?? '', values.results ?? ''],
    [whole, ...read.names.map((name) => `{${name}}`)],
  );
  const texts = [...command, tagString ?? '', values.results ?? '', ...values.inputs, ...values.outputs];
  return {
    ...{ read, placeholders, template: command.join(' ') },
    commandOf: commandOf(placeholders, {
      ...{ words: command, whole, quoted: values.quote, repeating: (values.maxReplaceArgs ?? 1) > 1 },
    }),
    tagOf: (job: JobFacts) => (tag === null || tag === '' ? null : placeholders.text(tag, job)),
    hasSlots: texts.some((text) => text.includes('{%}')),
    columns: rowsAtOnce > 1 ? sources.flat().length : Number.POSITIVE_INFINITY,
  };
}

/** Refuses what only looks like a replacement string; `known`: those that are. */
function checkForeign(texts: readonly string[], known: readonly string[]): void {
  const found = texts.map(foreignPlaceholder).find((one) => one !== null && !known.includes(one));
  if (found === undefined || found === null) return;
  throw usage(
    `${found} is not replaced here: {} {.} {/} {//} {/.} {#} {%} {1} {-1} and {2.} are. Do the rest in the command ` +
      'itself, such as "$(basename {} .tar.gz)"; to mean the text as it is, give it as an argument.',
  );
}

type Plan = Awaited<ReturnType<typeof planOf>>;

async function printCommands({ terminal }: CommandContext, plan: Plan, values: MapValues): Promise<number> {
  const jobs = values.jobs ?? values.maxProcs;
  // The slots that jobs of equal length would have.
  const slots = jobs === undefined || jobs.percent > 0 ? 1 : jobsAtOnce(jobs, 0);
  const encoder = new TextEncoder();
  let number = 0;
  for (let row = await plan.read.rows.next(); row.done !== true; row = await plan.read.rows.next()) {
    number += 1;
    const job = { args: row.value, number, slot: ((number - 1) % slots) + 1 };
    const line = encoder.encode(`${plan.commandOf(job)}\n`);
    const tag = plan.tagOf(job);
    await terminal.stdout.write(tag === null ? line : new LinePrefix(`${tag}\t`).push(line));
  }
  return 0;
}

/** Readies the joblog; the jobs that need not run, with their commands. */
async function openJoblog({ terminal }: CommandContext, values: MapValues): Promise<ReadonlyMap<number, string>> {
  const { joblog, resume, resumeFailed } = values;
  if (joblog === undefined) return new Map();
  const path = logPath(joblog);
  const isResumed = resume || resumeFailed;
  const found = isResumed || joblog.startsWith('+') ? ((await terminal.readText(path)) ?? '') : '';
  const before = wholeLines(found);
  // At once: a file that cannot be written is an error before anything runs.
  await writable(path, async () => {
    if (before === '') await terminal.writeText(path, joblogTitle);
    else if (before.startsWith(found)) await terminal.appendText(path, before.slice(found.length));
    else await terminal.writeText(path, before);
  });
  return isResumed ? jobsDone(before, { path, failedAgain: resumeFailed }) : new Map();
}

/** Throws `usage` where a joblog cannot be written. */
async function writable(path: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    const reason = reasonOf(error instanceof OctasklyError ? (error.cause ?? error) : error).replace(/\.$/, '');
    throw usage(`--joblog ${path} cannot be written: ${reason}. Name a file in a directory that is there.`);
  }
}

const logPath = (joblog: string): string => joblog.replace(/^\+/, '');

function checkTogether({ resume, resumeFailed, joblog, results }: MapValues): void {
  if (resumeFailed && joblog === undefined) {
    throw usage('--resume-failed goes by the exit values in a joblog: name it with --joblog FILE.');
  }
  if (resume && joblog === undefined && results === undefined) {
    throw usage('--resume goes by what an earlier call left: name it with --joblog FILE or --results DIR.');
  }
  if (results !== undefined && /\.(?:csv|tsv|json)$/.test(results)) {
    throw usage(
      `--results ${results}: only directories are written, not tables. Name a directory; octaskly export writes CSV.`,
    );
  }
}

function resultsOf(context: CommandContext, { results: directory }: MapValues, plan: Plan): Results | null {
  const { placeholders, columns, read } = plan;
  return directory === undefined ? null : new Results(context, { directory, names: read.names, placeholders, columns });
}

/** Which jobs need not run. */
async function doneBefore(
  context: CommandContext,
  values: MapValues,
  { plan, results }: { readonly plan: Plan; readonly results: Results | null },
): Promise<JobForm['isDone']> {
  const done = await openJoblog(context, values);
  if (values.joblog === undefined && results !== null && values.resume) return (job) => results.has(job);
  let isCompared = !plan.hasSlots;
  return async (job) => {
    const noted = done.get(job.number);
    if (noted !== undefined && isCompared && !isSameCommand(noted, plan.commandOf(job))) {
      isCompared = false;
      await note(context.terminal, otherCommand(job.number, noted, plan.commandOf(job)));
    }
    return noted !== undefined;
  };
}

function otherCommand(number: number, noted: string, command: string): string {
  const [before, now] = [noted, command].map((text) => harmless(text.slice(0, commandShownMax)));
  return (
    `Job ${number} was "${before}" when the joblog was written and is "${now}" now. Jobs are known by their numbers, so it ` +
    'is left out. Add arguments behind the others, of the first source alone, or name another --joblog.'
  );
}

function barKindOf({ bar, eta }: MapValues): BarKind {
  if (bar === true) return 'bar';
  if (eta) return 'eta';
  return bar === false ? 'none' : 'auto';
}

function tagsOf({ tag }: MapValues): readonly Pair[] {
  return tag.flatMap((text) => {
    const pair = parsePair(text);
    return 'value' in pair ? [pair.value] : [];
  });
}

async function assemble(context: CommandContext, values: MapValues, plan: Plan, stop: AbortController) {
  const { terminal, client } = context;
  const { timeLimit, joblog, halt } = values;
  const jobs = values.jobs ?? values.maxProcs;
  const timeoutMs = timeLimit?.kind === 'fixed' ? timeLimit.ms : undefined;
  // GNU parallel's name for a directory of its own, which each job has.
  const workdir = values.workdir === '...' ? undefined : values.workdir;
  const asked = await requestOf(client, { ...values, timeoutMs, workdir }, tagsOf(values));
  const request = { max_output: limits.outputBytesMax, ...asked };
  const results = resultsOf(context, values, plan);
  const queue = new JobQueue(plan.read, {
    ...{ commandOf: plan.commandOf, tagOf: plan.tagOf, hasSlots: plan.hasSlots },
    isDone: await doneBefore(context, values, { plan, results }),
    finder: new JobFileFinder(context, plan.placeholders, values),
  });
  const total = plan.read.total;
  const count = new HaltCount(halt, total);
  const from = terminal.now();
  const bar = new Bar(terminal, barKindOf(values), () => ({
    ...{ ended: count.ended, failed: count.failed, live: run.live.size },
    total: total === null ? null : total - queue.skipped,
    passedMs: terminal.now() - from,
  }));
  const collector = new Collector(context, {
    ...{ keepOrder: values.keepOrder, joblog: joblog === undefined ? joblog : logPath(joblog) },
    ...{ results, count, bar, showsCommands: values.printed, isTraced: values.traced },
  });
  const isJudged = halt !== undefined && halt.when !== 'never';
  const run = new MapRun(
    context,
    {
      ...{ queue, collector, request, name: (values.name ?? plan.template).slice(0, 200), delayMs: values.delayMs },
      jobLimit: jobs ?? (plan.hasSlots || isJudged ? { percent: 100, plus: 0 } : null),
      isJudged,
      timeoutPercent: timeLimit?.kind === 'share' ? timeLimit.percent : null,
    },
    stop,
  );
  return { run, bar, count };
}

export const map: ClientAction<typeof mapOptions> = async (context, values, words) => {
  const { client, terminal } = context;
  checkTogether(values);
  const plan = await planOf(context, values, words);
  if (values.dryRun) return printCommands(context, plan, values);
  await checkNotify(context, values.notify);
  const stop = new AbortController();
  const { run, bar, count } = await assemble(context, values, plan, stop);
  const cancelAll = (): Promise<unknown> => eachOf(run.live.batchIds(), (id) => client.cancelBatch(id));
  const interrupted = Promise.withResolvers<number>();
  let signalStatus: number | null = null;
  let isAbandoned = false;
  const silence = terminal.onSignal((signal) => {
    // The second one does not wait for an answer.
    if (signalStatus !== null) {
      isAbandoned = true;
      interrupted.resolve(signalStatus);
    }
    signalStatus ??= exitOfSignal(signal);
    stop.abort(new OctasklyError('refused', 'Interrupted.'));
  });
  const work = async (): Promise<number> => {
    bar.start();
    try {
      await run.run();
      await cancelAll();
      return count.exitStatus();
    } catch (error) {
      await bar.clear();
      await cancelAll().catch(() => {});
      // As a program that SIGPIPE ended: who looks at the status is to know that not all has run.
      if (error instanceof BrokenPipe) return exitOfSignal('SIGPIPE');
      if (signalStatus === null) throw error;
      await note(terminal, 'Interrupted; what had not ended was cancelled.');
      return signalStatus;
    } finally {
      await bar.end();
    }
  };
  try {
    const status = await Promise.race([work(), interrupted.promise]);
    if (!isAbandoned) {
      const { ended, failed } = count;
      await announceMap(context, values.notify, {
        name: plan.template,
        ended,
        failed,
        interrupted: signalStatus !== null,
      });
    }
    return status;
  } finally {
    await bar.clear().catch(() => {});
    silence();
  }
};
