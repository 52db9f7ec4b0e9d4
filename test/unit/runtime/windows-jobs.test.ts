import { expect, test } from 'bun:test';
import { limitsRecord, openJobCalls, useIn } from '../../../src/runtime/windows-jobs.ts';

test('limitsRecord() is the record Windows reads: flags at 16, processes at 40, memory of the job at 120', () => {
  const record = limitsRecord({ memoryBytes: 5 * 2 ** 32, processes: 7 });
  expect(record.byteLength).toBe(144);
  expect(record.getUint32(16, true)).toBe(0x2000 | 0x400 | 0x200 | 0x8);
  expect([record.getUint32(40, true), record.getBigUint64(120, true)]).toEqual([7, 5n * 2n ** 32n]);
});

test('limitsRecord() asks for no limit that was not asked for, and ends what is in the job unless told otherwise', () => {
  const none = { memoryBytes: null, processes: null };
  expect(limitsRecord(none).getUint32(16, true)).toBe(0x2000 | 0x400);
  expect(limitsRecord(none, false).getUint32(16, true)).toBe(0x400);
});

test('useIn() adds user and kernel time, of 100 ns each', () => {
  const sums = new DataView(new ArrayBuffer(96));
  const limits = new DataView(new ArrayBuffer(144));
  sums.setBigUint64(0, 30_000n, true);
  sums.setBigUint64(8, 10_000n, true);
  sums.setUint32(40, 3, true);
  sums.setBigUint64(80, 99n, true);
  limits.setBigUint64(136, 2n ** 33n, true);
  expect(useIn(sums, limits)).toEqual({ cpuMs: 4, active: 3, writtenBytes: 99, memoryPeakBytes: 2 ** 33 });
});

test.skipIf(process.platform === 'win32')('openJobCalls() is null where there are none', () => {
  expect(openJobCalls()).toBeNull();
});
