import { describe, expect, test } from 'bun:test';
import { Heartbeat } from '../../../src/worker/heartbeat.ts';
import { ManualClock } from '../manual-clock.ts';
import { FakeLink } from './fakes.ts';

function heart(heartbeatMs = 60_000): { clock: ManualClock; link: FakeLink; heartbeat: Heartbeat; beats: number[] } {
  const clock = new ManualClock();
  const link = new FakeLink();
  const beats: number[] = [];
  const pace = { heartbeatMs, silenceMs: 180_000 };
  const heartbeat = new Heartbeat({ clock, link, pace, beat: () => beats.push(clock.steady()) });
  return { clock, link, heartbeat, beats };
}

describe('Heartbeat.ask()', () => {
  test('gives a dispatcher that does not answer 700 ms', () => {
    const { clock, link, heartbeat, beats } = heart();
    clock.advance(10);
    heartbeat.ask();
    expect(beats).toEqual([0, 10]);
    clock.advance(699);
    expect(link.closed).toBeNull();
    clock.advance(1);
    expect(link.closed).toContain('another address');
  });

  test('keeps the link to one that answers', () => {
    const { clock, link, heartbeat } = heart();
    heartbeat.ask();
    clock.advance(600);
    heartbeat.heard();
    clock.advance(5000);
    expect(link.closed).toBeNull();
  });

  test('asked again too soon is put off, and not forgotten', () => {
    const { clock, link, heartbeat, beats } = heart();
    heartbeat.ask();
    clock.advance(100);
    heartbeat.heard();
    for (let count = 0; count < 5; count += 1) heartbeat.ask();
    clock.advance(1890);
    expect(beats).toEqual([0, 0]);
    clock.advance(10);
    expect(beats).toEqual([0, 0, 2000]);
    clock.advance(1000);
    expect(link.closed).toContain('another address');
  });

  test('leaves no timer behind when it is stopped', () => {
    const { clock, heartbeat } = heart();
    heartbeat.ask();
    heartbeat.heard();
    heartbeat.ask();
    heartbeat.stop();
    expect(clock.pending).toBe(0);
  });
});

describe('Heartbeat', () => {
  test('asks a dispatcher that left a beat unanswered until the next once more, and gives it half a beat', () => {
    const { clock, link, heartbeat, beats } = heart(5000);
    clock.advance(10);
    heartbeat.heard();
    clock.advance(9990);
    expect(beats).toEqual([0, 5000, 10_000]);
    clock.advance(2499);
    expect(link.closed).toBeNull();
    clock.advance(1);
    expect(link.closed).toContain('does not answer');
  });

  test('keeps the link to one that is late, and to one that is behind what is still to leave', () => {
    const late = heart(5000);
    late.clock.advance(12_000);
    late.heartbeat.heard();
    late.clock.advance(5000);
    expect(late.link.closed).toBeNull();
    const busy = heart(5000);
    busy.link.room = 0;
    busy.clock.advance(60_000);
    expect(busy.link.closed).toBeNull();
  });
});
