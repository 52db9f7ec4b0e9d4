/**
 * A first look, from nothing: installs, builds the one file, copies it alone into an empty folder, starts a dispatcher
 * and two workers from it, and has them compress and hash every file of this checkout. The same is done here without
 * Octaskly and compared byte for byte; a table says what ran where; everything is stopped and removed.
 */

import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, executable, install, root } from './steps.ts';

const command = 'gzip -9nc {} | sha256sum | cut -c1-64';

/** A port nobody listens on at the moment. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

type Role = Bun.Subprocess<'ignore', 'ignore', Bun.BunFile>;

interface Stage {
  readonly folder: string;
  readonly file: string;
  readonly env: Record<string, string>;
  readonly ports: { readonly workers: number; readonly api: number };
}

async function prepareStage(): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'octaskly-demo-'));
  const file = join(folder, 'octaskly');
  copyFileSync(executable, file);
  const ports = { workers: await freePort(), api: await freePort() };
  const env = {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    // It stays on this machine.
    OCTASKLY_DISCOVERY: 'false',
    HOME: folder,
    OCTASKLY_DATA_DIR: join(folder, 'data'),
    OCTASKLY_API: `http://127.0.0.1:${ports.api}`,
  };
  mkdirSync(join(folder, 'log'));
  return { folder, file, env, ports };
}

function start({ file, folder, env }: Stage, name: string, args: readonly string[]): Role {
  const log = Bun.file(join(folder, 'log', name));
  return Bun.spawn([file, ...args], { cwd: folder, env, stdin: 'ignore', stdout: 'ignore', stderr: log });
}

/** Runs a command of the file and returns what it printed. */
function octaskly({ file, folder, env }: Stage, args: readonly string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([file, ...args], { cwd: folder, env, stdin: 'ignore' });
  if (exitCode !== 0) throw new Error(`octaskly ${args[0]} ended with status ${exitCode}: ${stderr.toString()}`);
  return stdout.toString();
}

async function waitFor(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited 30 s in vain for ${what}`);
    await Bun.sleep(50);
  }
}

function onlineWorkers(stage: Stage): number {
  try {
    const stats = JSON.parse(octaskly(stage, ['stats', '-o', 'json'])) as { workers: { online: number } };
    return stats.workers.online;
  } catch {
    return 0;
  }
}

interface Ran {
  readonly worker_id: string | null;
  readonly duration_ms: number | null;
  readonly cpu_ms: number | null;
}

function printTable(stage: Stage, seconds: { cluster: number; here: number }): void {
  const { workers } = JSON.parse(octaskly(stage, ['workers', '-o', 'json'])) as {
    workers: { id: string; name: string }[];
  };
  const lines = octaskly(stage, ['export', '--format', 'jsonl']).trim().split('\n');
  const tasks = lines.map((line) => JSON.parse(line) as Ran);
  say('\nworker     tasks   busy s    CPU s');
  for (const { id, name } of workers) {
    const own = tasks.filter((task) => task.worker_id === id);
    const sum = (key: 'duration_ms' | 'cpu_ms') => own.reduce((total, task) => total + (task[key] ?? 0), 0) / 1000;
    say(
      `${name.padEnd(8)} ${String(own.length).padStart(7)} ${sum('duration_ms').toFixed(2).padStart(8)} ${sum('cpu_ms').toFixed(2).padStart(8)}`,
    );
  }
  say(
    `\n${tasks.length} tasks in ${seconds.cluster.toFixed(2)} s on two workers; ${seconds.here.toFixed(2)} s here, one after the other.`,
  );
}

/** Every file of the checkout that is not made by building it. */
function filesOfCheckout(): string[] {
  const skip = /^(node_modules|dist|\.git)\//;
  return [...new Bun.Glob('**/*').scanSync({ cwd: root, dot: true, onlyFiles: true })]
    .filter((file) => !skip.test(file))
    .map((file) => join(root, file))
    .sort();
}

async function show(stage: Stage): Promise<void> {
  const files = filesOfCheckout();
  writeFileSync(join(stage.folder, 'files'), `${files.join('\n')}\n`);
  await waitFor('two workers', () => onlineWorkers(stage) === 2);
  say(octaskly(stage, ['workers']));
  say(`octaskly map '${command}' -a files          (${files.length} files)`);
  const startedAt = performance.now();
  const far = octaskly(stage, ['map', '-k', command, '-a', 'files']);
  const clusterSeconds = (performance.now() - startedAt) / 1000;
  const hereAt = performance.now();
  const near = files
    .map((file) => Bun.spawnSync(['/bin/sh', '-c', command.replace('{}', `'${file}'`)]).stdout.toString())
    .join('');
  printTable(stage, { cluster: clusterSeconds, here: (performance.now() - hereAt) / 1000 });
  if (far !== near) throw new Error('the results differ from what the same commands give here');
  say('Every result is what the same command gives here.');
}

install();
build();
const stage = await prepareStage();
say(`\n== a dispatcher and two workers from one file in ${stage.folder}`);
const roles: Role[] = [
  start(stage, 'dispatcher', [
    'dispatcher',
    '--port',
    String(stage.ports.workers),
    '--api-port',
    String(stage.ports.api),
  ]),
];
try {
  for (const name of ['ada', 'bob']) {
    roles.push(
      start(stage, name, ['worker', '--name', name, '--max-jobs', '2', '--port', String(stage.ports.workers)]),
    );
  }
  await show(stage);
} finally {
  // Workers first: they say goodbye.
  for (const role of roles.reverse()) {
    role.kill('SIGTERM');
    await role.exited;
  }
}
const statuses = roles.map(({ exitCode }) => exitCode);
if (statuses.some((status) => status !== 0)) throw new Error(`not everything ended clean: ${statuses.join(', ')}`);
rmSync(stage.folder, { recursive: true });
say('Both workers and the dispatcher ended clean.');
