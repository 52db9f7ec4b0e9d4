/**
 * A long storm of frames on sessions: `bun test/fuzz/frames.ts --frames 1000000 --seed 1`. Prints what was measured, and
 * ends with status 1 when something does not hold: see `storm.ts`. The short form runs with the tests.
 */

import { parseArgs } from 'node:util';
import { runStorm } from './storm.ts';

/** Memory may grow by this much, most of it what the collector has not given back. */
const growthBytesMax = 192 * 1024 * 1024;
/** No single frame may take longer. */
const longestMsMax = 2000;

const { values } = parseArgs({
  options: { frames: { type: 'string', default: '1000000' }, seed: { type: 'string', default: '1' } },
});
const frames = Number(values.frames);
const seed = Number(values.seed);

// Compiled code and pools are there before anything is measured.
runStorm({ frames: Math.min(frames, 20_000), seed: seed + 1 });
Bun.gc(true);
const rssBefore = process.memoryUsage.rss();
const startedAt = performance.now();
const report = runStorm({ frames, seed });
const seconds = (performance.now() - startedAt) / 1000;
Bun.gc(true);
const growthBytes = process.memoryUsage.rss() - rssBefore;

console.log(`${report.frames} frames on ${report.sessions} sessions in ${seconds.toFixed(1)} s (seed ${seed})`);
console.log(`  frames a second   ${Math.round(report.frames / seconds)}`);
console.log(`  before the hello  ${report.during.hello}`);
console.log(`  in the handshake  ${report.during.handshake}`);
console.log(`  after it          ${report.during.open} (${report.accepted} messages passed every check)`);
for (const [code, count] of Object.entries(report.ends).sort()) console.log(`  end ${code.padEnd(18)}${count}`);
console.log(`  longest frame     ${report.longestMs.toFixed(1)} ms`);
console.log(`  memory growth     ${(growthBytes / 1024 / 1024).toFixed(1)} MiB`);
if (growthBytes > growthBytesMax || report.longestMs > longestMsMax) {
  console.log('FAILED: memory or time out of bounds');
  process.exitCode = 1;
}
