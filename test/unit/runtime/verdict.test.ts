import { describe, expect, test } from 'bun:test';
import type { LaunchLimits } from '../../../src/ports/processes.ts';
import { beyondLimit, type Ending, exceeded, limitMet, type Measured } from '../../../src/runtime/verdict.ts';

const mebibyte = 1024 * 1024;
const limits: LaunchLimits = {
  cpuTimeMs: 2000,
  memoryBytes: 64 * mebibyte,
  diskBytes: 10 * mebibyte,
  processes: 20,
};
const little: Measured = { cpuMs: 10, memoryBytes: mebibyte, diskBytes: 0, processes: 2 };
const failed: Ending = { exitCode: 1, signal: null, kernelKills: 0, refusedForks: 0, largestFileBytes: 0 };

describe('exceeded()', () => {
  test('never tells a value that is not beyond the limit', () => {
    expect(exceeded('cpu_time_limit', { allowed: 2, reached: 1.9 }).reached).toBe(2.01);
    expect(exceeded('cpu_time_limit', { allowed: 2, reached: 2.001 }).reached).toBe(2.01);
    expect(exceeded('memory_limit_mb', { allowed: 64, reached: 70.126 }).reached).toBe(70.13);
    expect(exceeded('max_processes', { allowed: 20, reached: 20 }).reached).toBe(21);
  });
});

describe('beyondLimit()', () => {
  test('is null at a limit, and for what is not limited or not measured', () => {
    expect(beyondLimit(limits, { cpuMs: 2000, memoryBytes: 64 * mebibyte, processes: 20 })).toBeNull();
    expect(beyondLimit({ ...limits, cpuTimeMs: null }, { cpuMs: 1e9 })).toBeNull();
    expect(beyondLimit(limits, { cpuMs: null })).toBeNull();
  });

  test.each<[Partial<Measured>, string, number, number]>([
    [{ cpuMs: 2500 }, 'cpu_time_limit', 2, 2.5],
    [{ memoryBytes: 65 * mebibyte }, 'memory_limit_mb', 64, 65],
    [{ diskBytes: 11 * mebibyte }, 'disk_limit_mb', 10, 11],
    [{ processes: 21 }, 'max_processes', 20, 21],
  ])('names %p in the units of the API', (measured, limit, limitValue, reached) => {
    expect(beyondLimit(limits, measured)).toEqual({ limit, limitValue, reached });
  });
});

describe('limitMet()', () => {
  const met = (measured: Partial<Measured>, ending: Partial<Ending>) =>
    limitMet(limits, { ...little, ...measured }, { ...failed, ...ending })?.limit ?? null;

  test('is null for an end that has nothing to do with limits', () => {
    expect(met({}, {})).toBeNull();
    expect(met({}, { exitCode: null, signal: 'SIGKILL' })).toBeNull();
    expect(met({}, { exitCode: 137 })).toBeNull();
    expect(met({}, { exitCode: null, signal: 'SIGXCPU' })).toBeNull();
  });

  test('tells the ends that the kernel makes', () => {
    expect(met({ cpuMs: 1800 }, { exitCode: null, signal: 'SIGXCPU' })).toBe('cpu_time_limit');
    expect(met({ cpuMs: 1800 }, { exitCode: 152 })).toBe('cpu_time_limit');
    expect(met({ cpuMs: 1800 }, { exitCode: null, signal: 'SIGKILL' })).toBe('cpu_time_limit');
    expect(met({ cpuMs: 1600 }, { exitCode: null, signal: 'SIGKILL' })).toBeNull();
    expect(met({}, { exitCode: 153 })).toBe('disk_limit_mb');
    expect(met({}, { largestFileBytes: 10 * mebibyte })).toBe('disk_limit_mb');
    expect(met({ cpuMs: 1900 }, { exitCode: null, signal: 'SIGKILL', kernelKills: 1 })).toBe('memory_limit_mb');
    expect(met({}, { refusedForks: 3 })).toBe('max_processes');
  });

  test('holds sums against an attempt that succeeded, but not moments', () => {
    const succeeded = { exitCode: 0, largestFileBytes: 10 * mebibyte, refusedForks: 1 };
    expect(met({ cpuMs: 2001 }, succeeded)).toBe('cpu_time_limit');
    expect(met({ diskBytes: 11 * mebibyte }, succeeded)).toBe('disk_limit_mb');
    expect(met({ memoryBytes: 65 * mebibyte, processes: 30 }, succeeded)).toBeNull();
    expect(met({ memoryBytes: 65 * mebibyte }, {})).toBe('memory_limit_mb');
    expect(met({ processes: 20 }, {})).toBe('max_processes');
  });
});
