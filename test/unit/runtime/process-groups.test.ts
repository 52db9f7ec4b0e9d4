import { expect, test } from 'bun:test';
import { parseListing } from '../../../src/runtime/process-groups.ts';

test('parseListing() reads a line of ps, with every form of time', () => {
  expect(parseListing('  42    7   41  2048   1:02.50 S+')).toMatchObject({
    pid: 42,
    parent: 7,
    group: 41,
    state: 'S',
    cpuMs: 62_500,
    residentBytes: 2048 * 1024,
  });
  expect(parseListing('1 0 1 0 00:00:03 Ss')?.cpuMs).toBe(3000);
  expect(parseListing('1 0 1 0 2-01:00:00 Ss')?.cpuMs).toBe((2 * 24 + 1) * 3_600_000);
});

test('parseListing() is null for what is no such line', () => {
  for (const line of ['', 'PID PPID', '1 2 3', '1 2 3 4 now S']) expect(parseListing(line)).toBeNull();
});
