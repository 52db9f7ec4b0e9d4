/** One message of every kind, with every optional part both present and absent: what the tests of the wire walk over. */

import type { ReportEntry } from '../../../src/core/attempt.ts';
import { type Isolation, noDemand } from '../../../src/core/isolation.ts';
import {
  type Assignment,
  type BlobMessage,
  type DispatcherMessage,
  refusalCodes,
  type WorkerMessage,
} from '../../../src/wire/messages.ts';

const key = { taskId: '01hxyz456789', attempt: 3 };
const usage = {
  durationMs: 12.5,
  cpuMs: 4.25,
  memoryPeakBytes: 5_000_000_000,
  stdoutBytes: 5,
  stderrBytes: 2,
  discardedBytes: 1,
  writtenBytes: null,
  sandboxLevel: null,
};
const file = { path: 'sub/ä.bin', blob: `sha256:${'0f'.repeat(32)}`, bytes: 7, executable: true };

const publicKey = 'c4'.repeat(32);
const offer = { enforcement: 'watched' as const, mechanism: 'watcher' };

const isolation: Isolation = {
  least: 'basic',
  levels: [
    {
      level: 'strict',
      mechanism: 'bubblewrap',
      network: true,
      limits: {
        timeout: { enforcement: 'hard', mechanism: 'timer' },
        max_output: { enforcement: 'hard', mechanism: 'reader' },
        cpu_time_limit: offer,
        memory_limit_mb: offer,
        disk_limit_mb: offer,
        max_open_files: { enforcement: 'per-process', mechanism: 'RLIMIT_NOFILE' },
        max_processes: { enforcement: 'none', mechanism: '' },
      },
    },
  ],
  missing: [{ level: 'very-strict', reason: 'no user namespaces', remedy: 'enable them' }],
};

const blobMessages: readonly BlobMessage[] = [
  { kind: 'blobWanted', ranges: [{ blob: file.blob, offset: 2 ** 40, length: 512 * 1024 }] },
  { kind: 'blobData', parts: [{ blob: file.blob, offset: 3, data: Uint8Array.of(1, 2) }] },
  { kind: 'blobRefused', blob: file.blob, detail: 'it is not here' },
];

const ended = {
  kind: 'ended' as const,
  ...key,
  startedAt: 1_700_000_000_123,
  outcome: { kind: 'exited' as const, exitCode: 7 },
  usage,
  stdout: Uint8Array.of(104, 0, 255),
  stderr: Uint8Array.of(1),
  outputs: [file],
  outputProblems: ['"x" is a symbolic link'],
};

/** Report entries of every kind and outcome. */
export const entries: readonly ReportEntry[] = [
  { kind: 'started', ...key, startedAt: 1_700_000_000_000 },
  ended,
  { ...ended, outcome: { kind: 'signaled', signal: 'SIGKILL' }, stdout: new Uint8Array(0), stderr: new Uint8Array(0) },
  { ...ended, outcome: { kind: 'timed_out', limitMs: 1500 }, usage: { ...usage, cpuMs: null, memoryPeakBytes: null } },
  { ...ended, outcome: { kind: 'limit_exceeded', limit: 'memory', limitValue: 10, reached: 11.5 } },
  { ...ended, outcome: { kind: 'cancelled' } },
  { ...ended, outcome: { kind: 'spawn_failed', message: 'no such file: "ä 漢字 🙂"' } },
  { ...ended, outcome: { kind: 'lost', why: 'stopped' } },
  { kind: 'returned', ...key },
];

/** Two assignments that between them have every field filled and empty. */
export const assignments: readonly Assignment[] = [
  {
    ...key,
    spec: {
      command: 'echo "$A" | tr a b',
      argv: null,
      name: 'first',
      priority: -50,
      timeoutMs: 3_600_000,
      env: { A: 'b c', __proto__x: '', ['__proto__']: 'harmless' },
      workdir: 'sub/dir',
      stdin: { kind: 'text', text: 'a\0b' },
      inputs: [file],
      outputs: ['out/*.mp4'],
      outputsAt: 'worker',
      maxOutputBytes: 10_000_000,
      requires: {
        cpuCores: 0.5,
        memoryMb: 512,
        gpu: 1,
        labels: { zone: 'attic' },
        platform: 'linux',
        arch: 'x64',
        isolation: {
          level: 'strict',
          network: true,
          limits: { cpuTimeMs: 1500, memoryMb: 64, diskMb: 100, openFiles: 32, processes: 8 },
        },
      },
    },
  },
  {
    ...key,
    spec: {
      command: null,
      argv: ['printf', '', 'ü'],
      name: null,
      priority: 100,
      timeoutMs: 0.5,
      env: {},
      workdir: null,
      stdin: { kind: 'stream' },
      maxOutputBytes: 0,
      inputs: [],
      outputs: [],
      outputsAt: 'dispatcher',
      requires: { cpuCores: 0, memoryMb: 0, gpu: 0, labels: {}, platform: null, arch: null, isolation: noDemand },
    },
  },
  {
    ...key,
    spec: {
      command: 'vi',
      argv: null,
      name: null,
      priority: 0,
      timeoutMs: 1000,
      env: {},
      workdir: null,
      stdin: { kind: 'terminal', columns: 80, rows: 24, term: 'xterm-256color' },
      maxOutputBytes: 0,
      inputs: [],
      outputs: [],
      outputsAt: 'dispatcher',
      requires: { cpuCores: 0, memoryMb: 0, gpu: 0, labels: {}, platform: 'linux', arch: null, isolation: noDemand },
    },
  },
];

export const workerMessages: readonly WorkerMessage[] = [
  {
    kind: 'join',
    worker: {
      id: 'node-1',
      name: 'pi.4_b',
      processId: 'p1',
      version: '0.1.0',
      slots: 4,
      cpuCores: 3.5,
      memoryMb: 8000,
      gpu: 1,
      labels: { zone: 'attic', 'a/b': '' },
      platform: 'linux',
      arch: 'arm64',
      isolation,
      peerPort: 7879,
      program: { target: 'linux-arm64', refusal: null, needsSignature: false },
    },
    held: [
      { ...key, phase: 'waiting' },
      { ...key, phase: 'running' },
      { ...key, phase: 'ended' },
      { ...key, phase: 'running', adopted: true },
    ],
  },
  { kind: 'enroll', name: 'pi-5', platform: 'linux', arch: 'arm64', version: '0.1.0' },
  {
    kind: 'heartbeat',
    vitals: { load1: 0.5, memoryFreeMb: 100, running: 2, batteryPercent: 80, charging: false, temperatureC: -3.5 },
  },
  {
    kind: 'heartbeat',
    vitals: { load1: null, memoryFreeMb: null, running: 0, batteryPercent: null, charging: null, temperatureC: null },
  },
  { kind: 'report', entries },
  { kind: 'output', ...key, stream: 'stderr', offset: 2 ** 40, data: Uint8Array.of(1, 2, 3) },
  { kind: 'stdinTaken', ...key, offset: 9, open: true },
  ...blobMessages,
  { kind: 'handedOver', entries: [{ ...key, to: 'node-2' }] },
  { kind: 'adopted', tasks: assignments.map((assignment) => ({ assignment, from: 'node-3', adoptedAt: 12.5 })) },
  { kind: 'logLines', request: 7, lines: ['one', '', 'drei ü'] },
  { kind: 'leaving' },
  { kind: 'resting', why: 'it runs on battery' },
  { kind: 'resting', why: null },
  { kind: 'updating', version: '1.2.3', step: 'fetching', detail: null },
  { kind: 'updating', version: '1.2.3-rc.1', step: 'failed', detail: 'no room' },
  { kind: 'wakeable', by: [{ mac: '02:42:ac:11:00:02', broadcast: '192.168.1.255', armed: true }] },
  { kind: 'wakeable', by: [{ mac: '02:42:ac:11:00:03', broadcast: null, armed: null }] },
  { kind: 'goodbye' },
];

export const dispatcherMessages: readonly DispatcherMessage[] = [
  {
    kind: 'welcome',
    name: 'pi-2',
    heartbeatMs: 5000,
    silenceMs: 60_000,
    resume: [{ ...key, stdout: 5, stderr: 6 }],
    clusterId: '00112233445566ff',
    peers: true,
  },
  { kind: 'roster', whole: true, members: [{ id: 'node-1', name: 'pi', publicKey }], gone: [] },
  { kind: 'roster', whole: false, members: [], gone: [publicKey] },
  {
    kind: 'holders',
    blobs: [{ blob: file.blob, at: [{ id: 'node-1', publicKey, host: 'fe80::1%eth0', port: 7879 }] }],
  },
  { kind: 'granted', entries: [{ ...key, previous: 2 }] },
  { kind: 'drain', draining: true },
  { kind: 'pending', expiresInMs: 300_000 },
  {
    kind: 'credential',
    keyId: '0a1b2c3d',
    psk: new Uint8Array(32).fill(1),
    beaconKey: new Uint8Array(32).fill(2),
    name: 'pi-5',
  },
  {
    kind: 'credential',
    keyId: '0a1b2c3d',
    psk: new Uint8Array(32).fill(1),
    beaconKey: new Uint8Array(32).fill(2),
    name: null,
  },
  ...refusalCodes.map((code) => ({ kind: 'refused' as const, code, detail: 'It is so.', retryAfterMs: 5000 })),
  { kind: 'assign', attempts: assignments },
  { kind: 'recall', attempts: [key] },
  { kind: 'cancel', attempts: [key] },
  { kind: 'abandon', attempts: [key, { ...key, attempt: 4 }] },
  { kind: 'ack', attempts: [] },
  { kind: 'stdin', ...key, offset: 4, data: new Uint8Array(0), eof: true },
  { kind: 'stdin', ...key, offset: 4, data: Uint8Array.of(9), eof: false },
  { kind: 'resize', ...key, columns: 132, rows: 43 },
  ...blobMessages,
  { kind: 'logWanted', request: 7, lines: 200 },
  {
    kind: 'update',
    order: {
      ...{ version: '1.2.3', target: 'linux-x64', blob: `sha256:${'ab'.repeat(32)}`, bytes: 126_000_000 },
      ...{ waitMs: 600_000, allowDowngrade: false, signed: { manifest: '{}', signature: 'c2ln' } },
    },
  },
  { kind: 'alive' },
  { kind: 'closing' },
];
