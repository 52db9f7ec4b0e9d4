/**
 * `bun test/sim/main.ts [--seeds N] [--seed S] [--verbose]`: runs worlds, each twice, and compares the logs.
 *
 * Without `--seed` it takes N (default 200) seeds from a random first one; with it, that seed and the N-1 (default 0)
 * that follow. `--verbose` prints the log. Ends with 1 at the first failure, which it says together with the command
 * that repeats it.
 */

import { parseArgs } from 'node:util';
import { type Exchanged, nothingExchanged } from './ledger.ts';
import { type Report, simulate } from './simulate.ts';

const { values } = parseArgs({
  options: { seeds: { type: 'string' }, seed: { type: 'string' }, verbose: { type: 'boolean', default: false } },
});
const count = Number(values.seeds ?? (values.seed === undefined ? 200 : 1));
const first = Number(values.seed ?? Math.floor(Math.random() * 1e9));
if (!Number.isSafeInteger(count) || !Number.isSafeInteger(first))
  throw new RangeError('--seeds and --seed take whole numbers');

let stray: unknown = null;
process.on('unhandledRejection', (reason) => {
  stray = reason;
});

function fail(report: Report, what: string): never {
  if (!values.verbose) console.log(report.tail.join('\n'));
  console.log(`\nSeed ${report.seed} failed after ${(report.lastedMs / 1000).toFixed(3)} simulated seconds: ${what}`);
  console.log(`Repeat it with: bun test/sim/main.ts --seed ${report.seed} --verbose`);
  process.exit(1);
}

const print = values.verbose ? (line: string): void => console.log(line) : null;
const exchanged = nothingExchanged();
const total = { tasks: 0, attempts: 0, lines: 0, lastedMs: 0 };
const startedAt = performance.now();
for (let seed = first; seed < first + count; seed++) {
  const report = simulate(seed, print);
  if (report.failure !== null) fail(report, report.failure);
  const again = simulate(seed);
  if (again.digest !== report.digest)
    fail(report, `the second run's log differs (${report.lines}, ${again.lines} lines)`);
  // A rejection nobody handled is reported once the event loop turns.
  await new Promise((resolve) => setImmediate(resolve));
  if (stray !== null) fail(report, `a promise was rejected and nobody noticed: ${stray}`);
  for (const [key, count] of Object.entries(report.exchanged)) exchanged[key as keyof Exchanged] += count;
  for (const key of ['tasks', 'attempts', 'lines', 'lastedMs'] as const) total[key] += report[key];
}
const seconds = (performance.now() - startedAt) / 1000;
console.log(
  `${count} seeds from ${first}, each twice, in ${seconds.toFixed(1)} s (${(count / seconds).toFixed(1)} seeds/s): ` +
    `${total.tasks} tasks, ${total.attempts} attempts, ${total.lines} lines of log, ` +
    `${(total.lastedMs / 3_600_000).toFixed(1)} simulated hours`,
);
console.log(`Work that changed hands: ${JSON.stringify(exchanged)}`);
