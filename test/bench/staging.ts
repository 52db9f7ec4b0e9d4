/**
 * Figure d: files on their way into a task, over the real, encrypted link between a dispatcher and a worker on this
 * machine: from the submission of a task whose inputs only the dispatcher holds to its stored end. Beside it, `cp` of the
 * same bytes in the same round. What is uploaded before is not counted.
 */

import { randomFillSync } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { median, openStage, type Stage, stats, until } from './stage.ts';

export interface StagingFigures {
  readonly megabytesPerSecond: number;
  readonly cpMegabytesPerSecond: number;
  /** Median of the rounds' own ratios. */
  readonly ratio: number;
  readonly filesPerSecond: number;
  readonly cpFilesPerSecond: number;
  readonly filesRatio: number;
}

interface Input {
  readonly path: string;
  readonly blob: string;
}

async function upload(stage: Stage, content: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Bun.CryptoHasher('sha256').update(content).digest('hex');
  const response = await fetch(`${stage.api}/api/v1/blobs/${hash}`, { method: 'PUT', body: content });
  if (!response.ok) throw new Error(`uploading a file: ${response.status}: ${await response.text()}`);
  await response.arrayBuffer();
  return `sha256:${hash}`;
}

/** Seconds from the acceptance of a task with these inputs, when they are on disk for good, to its stored end. */
async function stagingSeconds(stage: Stage, inputs: readonly Input[]): Promise<number> {
  const before = (await stats(stage)).tasks.completed ?? 0;
  const response = await fetch(`${stage.api}/api/v1/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ command: 'true', inputs }),
  });
  if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`);
  const { id } = (await response.json()) as { id: string };
  // Not the task itself: with thousands of inputs its view is a load of its own.
  await until('the task to complete', async () => (await stats(stage)).tasks.completed === before + 1);
  const shown = await fetch(`${stage.api}/api/v1/tasks/${id}`);
  const task = (await shown.json()) as { created_at: string; completed_at: string };
  return (Date.parse(task.completed_at) - Date.parse(task.created_at)) / 1000;
}

function cpSeconds(from: string, to: string): number {
  const startedAt = performance.now();
  const { exitCode } = Bun.spawnSync(['cp', '-r', '--reflink=never', from, to]);
  if (exitCode !== 0) throw new Error(`cp ended with status ${exitCode}`);
  return (performance.now() - startedAt) / 1000;
}

async function largeFile(stage: Stage, bytes: number, round: number): Promise<{ own: number; cp: number }> {
  const content = randomFillSync(new Uint8Array(bytes));
  const file = join(stage.folder, `large-${round}`);
  await Bun.write(file, content);
  const blob = await upload(stage, content);
  const cp = cpSeconds(file, `${file}.copy`);
  return { own: await stagingSeconds(stage, [{ path: 'large', blob }]), cp };
}

async function smallFiles(stage: Stage, count: number, round: number): Promise<{ own: number; cp: number }> {
  const folder = join(stage.folder, `small-${round}`);
  mkdirSync(folder);
  const inputs: Input[] = [];
  for (let n = 0; n < count; n++) {
    const content = Buffer.from(`file ${n} of round ${round}\n`.repeat(40));
    const descriptor = openSync(join(folder, String(n)), 'w');
    writeSync(descriptor, content);
    closeSync(descriptor);
    inputs.push({ path: `in/${n % 100}/${n}`, blob: await upload(stage, content) });
  }
  const cp = cpSeconds(folder, `${folder}.copy`);
  return { own: await stagingSeconds(stage, inputs), cp };
}

export async function measureStaging(options: {
  bytes: number;
  files: number;
  rounds: number;
}): Promise<StagingFigures> {
  const stage = await openStage();
  try {
    stage.start(['dispatcher', '-q']);
    await until('the dispatcher', async () => (await fetch(`${stage.api}/ready`)).ok);
    stage.start(['worker', '-q']);
    await until('the worker', async () => (await stats(stage)).workers.online === 1);
    const large: { own: number; cp: number }[] = [];
    const small: { own: number; cp: number }[] = [];
    for (let round = 0; round < options.rounds; round++) {
      large.push(await largeFile(stage, options.bytes, round));
      small.push(await smallFiles(stage, options.files, round));
    }
    const megabytes = options.bytes / 1e6;
    return {
      megabytesPerSecond: megabytes / median(large.map(({ own }) => own)),
      cpMegabytesPerSecond: megabytes / median(large.map(({ cp }) => cp)),
      ratio: median(large.map(({ own, cp }) => cp / own)),
      filesPerSecond: options.files / median(small.map(({ own }) => own)),
      cpFilesPerSecond: options.files / median(small.map(({ cp }) => cp)),
      filesRatio: median(small.map(({ own, cp }) => cp / own)),
    };
  } finally {
    await stage.close();
  }
}
