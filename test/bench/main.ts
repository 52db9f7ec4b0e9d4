/**
 * The figures, printed as a table with the machine they were measured on. They are medians of several rounds; ratios are
 * taken within one run, because absolute figures of a shared machine move. `--short` takes a few seconds, for a look.
 */

import { cpus, release, totalmem } from 'node:os';
import { cannotNetwork } from '../network/namespaces.ts';
import { measureCrowd } from './crowd.ts';
import { measureFlood } from './flood.ts';
import { measureFootprint } from './footprint.ts';
import { measureLaunch } from './launch.ts';
import { measureLoss } from './loss.ts';
import { measureNetwork } from './network.ts';
import { measurePeerBlobs } from './peer-blobs.ts';
import { measureProcesses } from './processes.ts';
import { measureScheduling } from './scheduling.ts';
import { measureStaging } from './staging.ts';
import { measureUi } from './ui.ts';

const short = process.argv.includes('--short');
const rows: [string, string, string][] = [];

function add(name: string, figure: string, aim: string): void {
  rows.push([name, figure, aim]);
}

const whole = (value: number): string => Math.round(value).toLocaleString('en');

const scheduling = await measureScheduling(
  short ? { tasks: 5000, rounds: 1, workers: 4 } : { tasks: 50_000, rounds: 5, workers: 4 },
);
add('a  scheduling only, tasks/s (FULL, batches of 1,000)', whole(scheduling.tasksPerSecond), '>= 25,000 (aim 50,000)');
add('a  bytes written to disk per task, in batches', whole(scheduling.bytesPerTask), '');

const processes = await measureProcesses(
  short ? { tasks: 500, rounds: 1, single: 50 } : { tasks: 4000, rounds: 5, single: 500 },
);
add('b  real processes, tasks/s (`true`, 4 slots)', whole(processes.tasksPerSecond), '');
add('b  xargs -P4 -n1 sh -c true, processes/s', whole(processes.xargsPerSecond), '');
add('b  ratio', processes.ratio.toFixed(2), '>= 0.70');
add(
  'b  one `true` on an idle system, POST to stored result, p50',
  `${processes.latencyMs.p50.toFixed(1)} ms`,
  '<= 5 ms',
);
add('b  … p99', `${processes.latencyMs.p99.toFixed(1)} ms`, '<= 15 ms');
add('b  bytes written to disk per task, one by one', whole(processes.bytesPerTask), '');

const footprint = await measureFootprint(short ? { idleSeconds: 2, runs: 5 } : { idleSeconds: 20, runs: 40 });
const memory = ({ resident, own }: { resident: number; own: number }): string =>
  `${resident.toFixed(0)} MB (${own.toFixed(0)} MB its own)`;
add('c  idle dispatcher, memory', memory(footprint.dispatcherMb), '');
add('c  idle worker, memory', memory(footprint.workerMb), '');
add('c  octaskly version', `${footprint.versionMs.toFixed(1)} ms`, '');
add('c  octaskly --help', `${footprint.helpMs.toFixed(1)} ms`, '');
add('c  bytes written by an idle dispatcher', whole(footprint.idleBytes), '0');

const network = await measureNetwork(
  short ? { rounds: 1, trips: 300, bytes: 50_000_000 } : { rounds: 5, trips: 5000, bytes: 500_000_000 },
);
for (const [name, kind] of [
  ['bare TCP', 'bare'],
  ['a link over TCP', 'tcp'],
  ['a link over QUIC', 'quic'],
] as const) {
  const { p50Ms, p99Ms, megabytesPerSecond } = network[kind];
  add(`n  ${name}, there and back p50 / p99`, `${p50Ms.toFixed(3)} / ${p99Ms.toFixed(3)} ms`, '');
  add(`n  ${name}, MB/s`, whole(megabytesPerSecond), '');
}
add('n  added to p50 by a link over TCP', `${(network.tcp.p50Ms - network.bare.p50Ms).toFixed(3)} ms`, '<= 0.1 ms');
const carried = network.tcp.megabytesPerSecond / network.bare.megabytesPerSecond;
add('n  ratio of MB/s, a link over TCP to bare TCP', carried.toFixed(2), '>= 0.5');

const lossy =
  cannotNetwork('signs of life beside a transfer where packets get lost') === null
    ? await measureLoss({ roundTripsMs: [2, 20], ...(short ? { seconds: 1, rounds: 1 } : { seconds: 10, rounds: 3 }) })
    : [];
for (const { roundTripMs, tcp, quic } of lossy) {
  const name = `n  1 % loss at ${roundTripMs} ms, sign of life beside a transfer`;
  for (const [carrier, { p99Ms, megabytesPerSecond }] of Object.entries({ TCP: tcp, QUIC: quic })) {
    add(`${name}, ${carrier}, p99`, `${p99Ms.toFixed(1)} ms, ${megabytesPerSecond.toFixed(0)} MB/s`, '');
  }
  add(`${name}, ratio of p99, QUIC to TCP`, (quic.p99Ms / tcp.p99Ms).toFixed(2), '<= 0.5');
}

const staging = await measureStaging(
  short ? { bytes: 50_000_000, files: 1000, rounds: 1 } : { bytes: 500_000_000, files: 10_000, rounds: 3 },
);
add('d  one large input, acceptance to stored end, MB/s', whole(staging.megabytesPerSecond), '>= 300');
add('d  cp of the same file, MB/s', whole(staging.cpMegabytesPerSecond), '');
add('d  ratio', staging.ratio.toFixed(2), '');
add('d  10,000 small inputs, files/s', whole(staging.filesPerSecond), '>= 2,000');
add('d  cp -r of the same files, files/s', whole(staging.cpFilesPerSecond), '');
add('d  ratio', staging.filesRatio.toFixed(2), '');

const launch = await measureLaunch({ rounds: short ? 10 : 100 });
const milliseconds = (value: number): string => `${value.toFixed(1)} ms`;
add('e  spawn of `true`, to its exit', milliseconds(launch.plainMs), '');
for (const { name, ms, beyondPlainMs } of launch.ways) {
  const aim = name === 'none' ? '' : name === 'basic' ? '<= 1.5 ms beyond' : '<= 8 ms';
  add(`e  launch at ${name}`, `${milliseconds(ms)}, ${milliseconds(beyondPlainMs)} beyond`, aim);
}

const flood = await measureFlood({ bytes: short ? 100_000_000 : 1_000_000_000 });
for (const [name, { seconds, growthMb }] of Object.entries(flood)) {
  add(
    `f  1 GB of output, ${name}: worker grows by`,
    `${growthMb.toFixed(0)} MB, in ${seconds.toFixed(1)} s`,
    '<= 32 MB',
  );
}

const shared = await measurePeerBlobs({ workers: 8, bytes: short ? 50_000_000 : 200_000_000, rounds: short ? 1 : 3 });
add(
  'g  one large input to 8 workers at once, uploads of the dispatcher',
  shared.uploads.toFixed(2),
  'about 1 (<= 1.3)',
);
add('g  … MB/s, all workers together', whole(shared.megabytesPerSecond), '');

const crowd = await measureCrowd(
  short ? { workers: 200, settleMs: 500, restMs: 1000 } : { workers: 1000, settleMs: 5000, restMs: 30_000 },
);
const of = `${whole(crowd.workers)} workers connected, at rest`;
add(`h  ${of}: memory of the dispatcher`, `${crowd.residentMb.toFixed(0)} MB`, '<= 300 MB');
add(`h  ${of}: share of one core`, `${(crowd.cpuShare * 100).toFixed(1)} %`, '<= 10 %');

const ui = await measureUi(
  short ? { workers: 200, tasks: 2000, tabMs: 400 } : { workers: 200, tasks: 10_000, tabMs: 20_000 },
);
const beside = `beside 200 workers, ${ui.tasksPerSecond.toFixed(0)} tasks/s ending`;
add(`u  terminal dashboard ${beside}: share of one core`, `${(ui.cpuShare * 100).toFixed(1)} %`, '<= 5 %');
add('u  … with 10,000 tasks on record: memory', `${ui.residentMb.toFixed(0)} MB`, '<= 120 MB');

const width = Math.max(...rows.map(([name]) => name.length));
const processor = cpus()[0]?.model ?? 'unknown processor';
process.stdout.write(
  `\n${processor}, ${cpus().length} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GB, Linux ${release()}, Bun ${Bun.version}\n\n`,
);
for (const [name, figure, aim] of rows) process.stdout.write(`${name.padEnd(width)}  ${figure.padStart(24)}  ${aim}\n`);
