import { expect, test } from 'bun:test';
import type { Log } from '../../../src/ports/time.ts';
import { lastSource } from '../../../src/transfer/swarm.ts';
import { linesMax, TransferLog, windowMs } from '../../../src/worker/transfer-log.ts';
import { ManualClock } from '../manual-clock.ts';

const blob = `sha256:${'0123456789abcdef'.repeat(4)}`;

function scene() {
  const clock = new ManualClock();
  const lines: string[] = [];
  const write = (level: string) => (message: string, fields?: Readonly<Record<string, unknown>>) => {
    lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  };
  const log: Log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  return { clock, lines, troubles: new TransferLog({ clock, log }, (source) => `name of ${source}`) };
}

test('tell() warns of wrong bytes with all who gave some, and notes a broken transfer', () => {
  const { lines, troubles } = scene();
  troubles.tell({ kind: 'wrong', blob, sources: ['a', lastSource] });
  troubles.tell({ kind: 'gone', blob, sources: ['a'] });
  expect(lines[0]).toStartWith('warn a file came with bytes that are not its own');
  expect(lines[0]).toContain('"from":"name of a, the dispatcher","blob":"sha256:0123456789ab…","next":"what has come');
  expect(lines[1]).toStartWith('debug a transfer broke: the peer is gone {"from":"name of a"');
});

test('tell() says so much of each level in a while, and later how much it did not say', () => {
  const { clock, lines, troubles } = scene();
  for (let n = 0; n < linesMax + 3; n++) troubles.tell({ kind: 'stalled', blob, sources: ['a'] });
  expect(lines).toHaveLength(linesMax);
  troubles.tell({ kind: 'wrong', blob, sources: ['a'] });
  expect(lines).toHaveLength(linesMax + 1);
  clock.advance(windowMs);
  for (const _ of [1, 2]) troubles.tell({ kind: 'refused', blob, sources: ['a'] });
  expect(lines[linesMax + 1]).toContain('"unsaid":3');
  expect(lines[linesMax + 2]).not.toContain('unsaid');
});
