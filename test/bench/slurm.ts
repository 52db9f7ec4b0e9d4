/**
 * Slurm on this machine: one controller and one node on loopback, without munge, with what its defaults are otherwise.
 * Its ports are fixed (6817, 6818): run this where nobody else's Slurm runs, best in a network namespace.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Figures, measure, must, slots } from './contest.ts';
import { memoryMb, until } from './stage.ts';

const configuration = (folder: string): string => `ClusterName=bench
SlurmctldHost=${hostname()}(127.0.0.1)
SlurmUser=root
AuthType=auth/none
CredType=cred/none
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd.pid
SlurmctldLogFile=${folder}/slurmctld.log
SlurmdLogFile=${folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
NodeName=${hostname()} NodeAddr=127.0.0.1 CPUs=${slots} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES OverSubscribe=NO
`;

/** Fewer than of the others: it is made for tasks of hours, and takes about a second for each. */
const tasks = 50;

/** Null where its programs are not installed, or this is not root. */
export async function measureSlurm(folder: string, rounds: number): Promise<Figures | null> {
  const programs = ['slurmctld', 'slurmd', 'srun', 'sbatch', 'sinfo'];
  if (process.getuid?.() !== 0 || programs.some((name) => Bun.which(name) === null)) return null;
  for (const name of ['state', 'spool']) mkdirSync(join(folder, name));
  const file = join(folder, 'slurm.conf');
  writeFileSync(file, configuration(folder));
  const env = { PATH: process.env.PATH ?? '', SLURM_CONF: file, HOME: folder };
  const start = (command: string[]) =>
    Bun.spawn(command, { cwd: folder, env, stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' });
  const daemons = [start(['slurmctld', '-D']), start(['slurmd', '-D', '-b'])];
  try {
    await until('a node of Slurm', async () => must({ command: ['sinfo', '-h', '-o', '%T'], env }).includes('idle'));
    const array = ['sbatch', '--wait', `--array=1-${tasks}`, '--output=/dev/null', '--wrap=true'];
    const figures = measure(
      { many: { command: array, env }, first: { command: ['srun', 'true'], env } },
      Math.min(rounds, 1),
    );
    const idleMb = daemons.reduce((sum, { pid }) => sum + memoryMb(pid).own, 0);
    const version = must({ command: ['sinfo', '--version'], env })
      .trim()
      .replace(/^slurm\S* /, '');
    return { name: 'Slurm', version, tasks, ...figures, idleMb };
  } finally {
    for (const daemon of daemons) {
      daemon.kill('SIGTERM');
      await Promise.race([daemon.exited, Bun.sleep(5000)]);
      daemon.kill('SIGKILL');
    }
  }
}
