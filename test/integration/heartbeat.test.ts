/** A heartbeat by the real clock, in a process that stands still for a while. */

import { expect, test } from 'bun:test';
import { systemClock } from '../../src/runtime/clock.ts';
import { Heartbeat } from '../../src/worker/heartbeat.ts';
import { FakeLink } from '../unit/worker/fakes.ts';

test('Heartbeat reads what came while its process stood still before it gives the dispatcher up', async () => {
  const link = new FakeLink();
  const pace = { heartbeatMs: 60_000, silenceMs: 180_000 };
  const heartbeat = new Heartbeat({ clock: systemClock, link, pace, beat: () => undefined });
  const answers = Bun.spawn(['sh', '-c', 'echo ready; sleep 0.2; echo here'], { env: {}, stdout: 'pipe' });
  const reader = answers.stdout.getReader();
  await reader.read();
  const heard = reader.read().then(() => heartbeat.heard());
  heartbeat.ask();
  Bun.sleepSync(1000);
  await heard;
  await answers.exited;
  await new Promise((resolve) => systemClock.after(50, () => resolve(null)));
  expect(link.closed).toBeNull();
  heartbeat.stop();
});
