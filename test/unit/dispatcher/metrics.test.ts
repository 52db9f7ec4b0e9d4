/** What a dispatcher tells Prometheus, and that page and dashboard in `docs/` speak of that and nothing else. */

import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { type MetricFamily, metricsText } from '../../../src/api/metrics.ts';
import { emptyState } from '../../../src/core/state.ts';
import { idleWorker } from '../../../src/core/worker.ts';
import { CountedBlobs } from '../../../src/dispatcher/counted-blobs.ts';
import { type Measured, metricsOf } from '../../../src/dispatcher/metrics.ts';
import { Tally } from '../../../src/dispatcher/tally.ts';
import { Turn } from '../../../src/dispatcher/turn.ts';
import { workersShownMax } from '../../../src/dispatcher/worker-metrics.ts';
import { MemoryBlobs } from '../../memory-blobs.ts';
import { declaration, noonWall, policy, submitted } from '../core/samples.ts';

const docs = join(import.meta.dir, '../../../docs');

function measured(wanted: Partial<Measured> = {}): Measured {
  const blobs = { workers: new CountedBlobs(new MemoryBlobs()), clients: new CountedBlobs(new MemoryBlobs()) };
  return {
    ...{ version: '1.2.3', state: emptyState(policy), tally: new Tally(), blobs, offline: 2, ready: true },
    wakeCalls: 7,
    ...{ linksEnded: { forged: 3 }, discovery: { received: 4, interfaces: 1 }, storeWritten: 5 },
    notifications: { pending: 1, delivered: 2, failed_tries: 3, given_up: 4, dropped: 5, last_error: null },
    process: {
      ...{ cpuUserSeconds: 1, cpuSystemSeconds: 0.5, residentBytes: 10, virtualBytes: 20, openFiles: 3 },
      ...{ openFilesMax: 1024, startedAtSeconds: 1000 },
    },
    ...wanted,
  };
}

/** A state with `workers` workers that have a session and tell everything of themselves, and `tasks` tasks. */
function peopled(workers: number, tasks: number): Turn {
  const turn = new Turn(emptyState(policy), { at: 1000, wall: noonWall });
  for (let n = 0; n < workers; n++) {
    const known = { declaration: declaration(`w${n}`, { slots: 4 }), name: `w${n}`, publicKey: '', draining: false };
    const worker = idleWorker({ ...known, firstSeenAt: 0, lastSeenAt: 0 }, 1000);
    worker.session = n;
    worker.vitals = {
      ...{ load1: 0.5, memoryFreeMb: 100, running: 0 },
      ...{ batteryPercent: 50, charging: true, temperatureC: 40 },
    };
    turn.state.workers.set(worker.id, worker);
  }
  const ids = Array.from({ length: tasks }, (_, n) => String(n).padStart(12, '0'));
  turn.apply({ kind: 'tasksSubmitted', tasks: ids.map((id, n) => submitted(id, { priority: (n % 4) * 50 - 50 })) });
  return turn;
}

function figureOf(families: readonly MetricFamily[], line: string): number | undefined {
  const found = metricsText(families)
    .split('\n')
    .find((each) => each.startsWith(`${line} `));
  return found === undefined ? undefined : Number(found.slice(line.length + 1));
}

const everything = (): readonly MetricFamily[] => metricsOf(measured({ state: peopled(2, 4).state }));

test('metricsOf() counts live tasks by state and priority', () => {
  const { state } = peopled(0, 6);
  const families = metricsOf(measured({ state }));
  const queued = (priority: string) =>
    figureOf(families, `octaskly_queue_tasks{state="queued",priority="${priority}"}`);
  expect(['low', 'normal', 'high', 'critical'].map(queued)).toEqual([2, 2, 1, 1]);
  expect(figureOf(families, 'octaskly_queue_waiting_tasks')).toBe(6);
  expect(figureOf(families, 'octaskly_tasks{state="queued"}')).toBe(6);
});

test('metricsOf() tells of workers, sessions, storage and the process', () => {
  const families = everything();
  expect(figureOf(families, 'octaskly_workers{state="online"}')).toBe(2);
  expect(figureOf(families, 'octaskly_workers{state="offline"}')).toBe(2);
  expect(figureOf(families, 'octaskly_slots')).toBe(8);
  expect(figureOf(families, 'octaskly_worker_battery_ratio{worker="w1"}')).toBe(0.5);
  expect(figureOf(families, 'octaskly_worker_memory_free_bytes{worker="w0"}')).toBe(100 * 1024 * 1024);
  expect(figureOf(families, 'octaskly_sessions_ended_total{reason="closed"}')).toBe(0);
  expect(figureOf(families, 'octaskly_frame_errors_total{reason="forged"}')).toBe(3);
  expect(figureOf(families, 'octaskly_store_written_bytes_total')).toBe(5);
  expect(figureOf(families, 'octaskly_discovery_packets_total{fate="received"}')).toBe(4);
  expect(figureOf(families, 'process_cpu_seconds_total')).toBe(1.5);
});

test('metricsOf() shows no more workers by name than its bound, and leaves out what is not known', () => {
  const families = metricsOf(
    measured({ state: peopled(workersShownMax + 5, 0).state, storeWritten: null, process: null }),
  );
  expect(families.find(({ name }) => name === 'octaskly_worker_up')?.samples).toHaveLength(workersShownMax);
  expect(figureOf(families, 'octaskly_workers{state="online"}')).toBe(workersShownMax + 5);
  expect(metricsText(families)).not.toMatch(/store_written|^process_/m);
});

test('metricsOf() takes at most 20 ms with 10,000 tasks and 200 workers', () => {
  const { state } = peopled(200, 10_000);
  const times = Array.from({ length: 10 }, () => {
    const startedAt = performance.now();
    metricsText(metricsOf(measured({ state })));
    return performance.now() - startedAt;
  });
  expect(Math.min(...times)).toBeLessThan(20);
});

test('docs/METRICS.md lists exactly the figures there are, with their types', async () => {
  const page = await Bun.file(join(docs, 'METRICS.md')).text();
  const listed = [...page.matchAll(/^\| `(\w+)` +\| (\w+) +\|/gm)].map(([, name, type]) => `${name} ${type}`);
  expect(listed.toSorted()).toEqual(
    everything()
      .map(({ name, type }) => `${name} ${type}`)
      .toSorted(),
  );
});

test('docs/grafana-dashboard.json asks for figures and labels that exist, in every panel', async () => {
  const dashboard = (await Bun.file(join(docs, 'grafana-dashboard.json')).json()) as {
    panels: { type: string; title: string; targets?: { expr: string }[] }[];
  };
  const lines = metricsText(everything()).split('\n');
  const names = new Set(lines.map((line) => /^\w+/.exec(line)?.[0]));
  const shown = dashboard.panels.filter(({ type }) => type !== 'row');
  expect(shown.length).toBeGreaterThan(20);
  for (const { title, targets = [] } of shown) {
    expect(targets.length, title).toBeGreaterThan(0);
    for (const { expr } of targets) {
      const asked = [...expr.matchAll(/\b(?:octaskly|process)_\w+/g)].map(([name]) => name);
      expect(asked.length, `${title}: ${expr}`).toBeGreaterThan(0);
      for (const name of asked) expect([title, name, names.has(name)]).toEqual([title, name, true]);
    }
  }
});
