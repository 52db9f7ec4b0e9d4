/**
 * Octaskly beside what people use today, on this machine: 1,000 tasks `true`, one alone, and what waits for work in
 * memory. Prints a table as `docs/COMPARISON.md` has it. Only what is installed is measured; the rest is said to be
 * left out. `--short`: one round.
 *
 * GNU parallel is measured twice: here, and over ssh to an sshd of its own on loopback, as it reaches other machines.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { type Figures, measure, must, numbersTo, slots, tasks } from './contest.ts';
import { measureSlurm } from './slurm.ts';
import { executable, freePort, memoryMb, openStage, stats, until } from './stage.ts';

const rounds = process.argv.includes('--short') ? 1 : 3;
const path = process.env.PATH ?? '/usr/bin:/bin';

async function octaskly(): Promise<Figures> {
  const stage = await openStage();
  try {
    const dispatcher = stage.start(['dispatcher', '-q', '--bind', '127.0.0.1']);
    await until('the dispatcher', async () => (await fetch(`${stage.api}/ready`)).ok);
    const worker = stage.start(['worker', '-q', '--max-jobs', `${slots}`]);
    await until('the worker', async () => (await stats(stage)).workers.online === 1);
    await Bun.sleep(2000);
    const idleMb = memoryMb(dispatcher.pid).own + memoryMb(worker.pid).own;
    const env = { PATH: path, HOME: stage.folder, OCTASKLY_API: stage.api, OCTASKLY_DISCOVERY: 'false' };
    const many = { command: [executable, 'map', 'true'], env, stdin: numbersTo(tasks) };
    const figures = measure({ many, first: { command: [executable, 'run', 'true'], env } }, rounds);
    const version = must({ command: [executable, 'version', '-o', 'quiet'], env }).trim();
    return { name: 'Octaskly', version, tasks, ...figures, idleMb };
  } finally {
    await stage.close();
  }
}

function parallelVersion(env: Readonly<Record<string, string>>): string {
  return /\d{8}/.exec(must({ command: ['parallel', '--version'], env }))?.[0] ?? '';
}

function parallelHere(folder: string): Figures | null {
  if (Bun.which('parallel') === null) return null;
  const env = { PATH: path, HOME: folder };
  const command = ['parallel', '--will-cite', `-j${slots}`, 'true'];
  const many = { command, env, stdin: numbersTo(tasks) };
  const figures = measure({ many, first: { command, env, stdin: '1\n' } }, rounds);
  return { name: 'GNU parallel, here', version: parallelVersion(env), tasks, ...figures, idleMb: 0 };
}

/** Tasks of the long run by ssh: each takes a connection. */
const tasksBySsh = 200;

/** `sshd` for this user alone, on a free port of loopback. */
async function parallelOverSsh(folder: string): Promise<Figures | null> {
  const sshd = Bun.which('sshd');
  if (sshd === null || Bun.which('parallel') === null || Bun.which('ssh-keygen') === null) return null;
  const env = { PATH: path, HOME: folder };
  const port = await freePort();
  for (const name of ['host', 'user']) {
    must({ command: ['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)], env });
  }
  const settings = [
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'PermitRootLogin yes',
    'MaxStartups 100',
  ];
  const lines = [`Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${folder}/host`, `PidFile ${folder}/sshd.pid`];
  writeFileSync(
    join(folder, 'sshd_config'),
    [...lines, `AuthorizedKeysFile ${folder}/user.pub`, ...settings, ''].join('\n'),
  );
  const command = [sshd, '-D', '-e', '-f', join(folder, 'sshd_config')];
  const daemon = Bun.spawn(command, { env, stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' });
  const ssh = `ssh -i ${folder}/user -p ${port} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR`;
  const login = `${must({ command: ['id', '-un'], env }).trim()}@127.0.0.1`;
  try {
    await until('sshd', async () => must({ command: [...ssh.split(' '), login, 'true'], env }) === '');
    const parallel = ['parallel', '--will-cite', '--ssh', ssh, '-S', `${slots}/${login}`, 'true'];
    const many = { command: parallel, env, stdin: numbersTo(tasksBySsh) };
    const figures = measure({ many, first: { command: parallel, env, stdin: '1\n' } }, rounds);
    const idleMb = memoryMb(daemon.pid).own;
    return { name: 'GNU parallel, ssh', version: parallelVersion(env), tasks: tasksBySsh, ...figures, idleMb };
  } finally {
    daemon.kill('SIGTERM');
    await daemon.exited;
  }
}

function row({ name, version, tasks, manyMs, firstMs, idleMb }: Figures): string {
  const count = tasks.toLocaleString('en');
  const seconds = `${(manyMs / 1000).toFixed(1)} s for ${count}`;
  const each = `${(manyMs / tasks).toFixed(1)} ms`;
  const memory = idleMb === 0 ? '0' : `${idleMb.toFixed(0)} MB`;
  return `| ${name} ${version} | ${seconds} | ${each} | ${firstMs.toFixed(0)} ms | ${memory} |`;
}

const folder = mkdtempSync(join(tmpdir(), 'octaskly-compare-'));
try {
  const measured = [
    await octaskly(),
    parallelHere(folder),
    await parallelOverSsh(folder),
    await measureSlurm(folder, rounds),
  ];
  const processor = cpus()[0]?.model ?? 'unknown processor';
  const memory = (totalmem() / 2 ** 30).toFixed(0);
  process.stdout.write(`${processor}, ${cpus().length} cores, ${memory} GB, Linux ${release()}\n`);
  process.stdout.write(
    `\n|   | \`true\`, ${slots} at once | for each | one alone, to its result | memory at rest |\n| - | - | - | - | - |\n`,
  );
  for (const figures of measured) if (figures !== null) process.stdout.write(`${row(figures)}\n`);
  const left = ['GNU parallel', 'GNU parallel over ssh', 'Slurm'].filter((_, n) => measured[n + 1] === null);
  if (left.length > 0) process.stdout.write(`\nnot installed, not measured: ${left.join(', ')}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
