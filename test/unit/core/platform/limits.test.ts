import { expect, test } from 'bun:test';
import type { HostIsolation } from '../../../../src/core/host-isolation.ts';
import { limitsKept } from '../../../../src/core/platform/limits.ts';
import { debian } from '../../worker/hosts.ts';

const windows: HostIsolation = { ...debian, platform: 'win32', prlimit: null, jobObjects: true };
const mac: HostIsolation = { ...debian, platform: 'darwin', prlimit: null, countsPerNamespace: false };
const kept = (host: HostIsolation): Record<string, string> =>
  Object.fromEntries(Object.entries(limitsKept(host, null)).map(([name, { enforcement }]) => [name, enforcement]));
const always = { timeout: 'hard', max_output: 'hard' };

test('limitsKept() on Windows is what job objects keep; nobody counts open files', () => {
  expect(kept(windows)).toEqual({
    ...{ ...always, cpu_time_limit: 'watched', memory_limit_mb: 'hard', disk_limit_mb: 'watched' },
    ...{ max_open_files: 'none', max_processes: 'hard' },
  });
});

test('limitsKept() on Windows without job objects is nothing but time and output', () => {
  const none = { cpu_time_limit: 'none', memory_limit_mb: 'none', disk_limit_mb: 'none', max_open_files: 'none' };
  expect(kept({ ...windows, jobObjects: false })).toEqual({ ...always, ...none, max_processes: 'none' });
});

test('limitsKept() on macOS is what is seen by looking, and the limits of each process', () => {
  expect(kept(mac)).toEqual({
    ...{ ...always, cpu_time_limit: 'watched', memory_limit_mb: 'watched', disk_limit_mb: 'watched' },
    ...{ max_open_files: 'per-process', max_processes: 'watched' },
  });
});

test('limitsKept() never says hard where nothing can look at the trees', () => {
  const blind = kept({ ...mac, watcher: false });
  expect([blind.memory_limit_mb, blind.max_processes, blind.cpu_time_limit]).toEqual(['none', 'none', 'per-process']);
});
