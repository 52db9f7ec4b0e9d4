/** One worker opened: what it is, how it fares, how it fared lately, and what runs on it. Pure. */

import type { WorkerView } from '../../src/api/schemas.ts';
import { type Sample, sampleOf, samplesKept, takenSlots } from '../history.ts';
import { bar, meter, type Row, span } from '../lines.ts';
import type { Model, WorkerPage } from '../model.ts';
import { cut, formatAge, harmless, type Look } from '../text.ts';
import { factRow } from './detail.ts';
import { taskRows } from './tasks.ts';
import { batteryBar, batteryWord, labelsOf, percent, stateSpan, temperatureWord, trend } from './workers.ts';

const labelCells = 12;
const wordCells = 22;
const gigabytes = (megabytes: number): string => (megabytes / 1024).toFixed(1);

function gauges(worker: WorkerView, model: Model, look: Look): Row[] {
  const barCells = look.columns >= 120 ? 30 : 20;
  const trendCells = Math.max(0, Math.min(samplesKept, look.columns - labelCells - barCells - wordCells - 6));
  const row = (title: string, drawn: Row, word: string, what: keyof Sample | null): Row => [
    span(` ${title.padEnd(labelCells)}`),
    ...drawn,
    span(`  ${word.slice(0, wordCells).padEnd(wordCells)}`),
    ...(what === null ? [] : [span(trend(model, worker.id, what, trendCells, look), 'busy')]),
  ];
  const { cpu, memory, temperature } = sampleOf(worker);
  const { slots, load1, cpu_cores: cores, memory_free_mb: free, memory_mb: all } = worker;
  const taken = takenSlots(worker);
  const load = load1 === null ? '' : `${percent(cpu)}  ${load1.toFixed(2)} of ${cores}`;
  const used = free === null ? '' : `${percent(memory)}  ${gigabytes(all - free)} of ${gigabytes(all)} GB`;
  const slotBar = bar({ used: taken, total: slots }, barCells, 'busy', look);
  return [
    row('slots', slotBar, `${taken} of ${slots}`, 'slots'),
    ...(cpu === null ? [] : [row('cpu', meter(cpu, barCells, look), load, 'cpu')]),
    ...(memory === null ? [] : [row('memory', meter(memory, barCells, look), used, 'memory')]),
    ...(worker.battery_percent === null
      ? []
      : [row('battery', batteryBar(worker, barCells, look), batteryWord(worker), null)]),
    ...(temperature === null
      ? []
      : [row('temperature', meter(temperature, barCells, look), temperatureWord(worker), 'temperature')]),
  ];
}

function head(worker: WorkerView, { now }: Model, look: Look): Row[] {
  const { name, id, platform, arch, version, address, sandbox, kept_outputs: kept } = worker;
  return [
    [span(` Worker ${cut(name, look.columns - 30, look)}  `, 'strong'), stateSpan(worker)],
    factRow(
      [
        ['id', id],
        ['platform', `${platform}/${arch}`],
        ['version', version],
      ],
      look,
    ),
    factRow(
      [
        ['address', address],
        ['seen', `${formatAge(now - Date.parse(worker.last_seen_at))} ago`],
        ['first', `${formatAge(now - Date.parse(worker.first_seen_at))} ago`],
        ['sandbox', sandbox.least],
        ['gpu', worker.gpu === 0 ? null : String(worker.gpu)],
        ['keeps', kept === 0 ? null : `${kept} files`],
      ],
      look,
    ),
    factRow(
      [
        ['rests', worker.resting],
        ['labels', labelsOf(worker)],
      ],
      look,
    ),
  ];
}

/** The end of its own log, as far as there are rows for it. */
function logRows(log: readonly string[], rows: number, look: Look): Row[] {
  if (log.length === 0 || rows < 3) return [];
  const lines = log.slice(-(rows - 2)).map((line): Row => [span(` ${cut(line, look.columns - 2, look)}`)]);
  return [[], [span(' Its log', 'strong')], ...lines];
}

/** The open worker in at most `rows` rows. */
export function workerPage(model: Model, open: WorkerPage, rows: number, look: Look): Row[] {
  const worker = model.workers.find(({ id }) => id === open.id);
  if (worker === undefined) {
    return [[span(` Worker ${harmless(open.id, look.ascii)} is not there any more.`, 'dim')]];
  }
  const top = [...head(worker, model, look), ...gauges(worker, model, look), []];
  const { tasks, log } = open;
  if (tasks === null) return [...top, [span(' Reading its tasks ...', 'dim')]];
  const left = Math.max(0, rows - top.length - 1);
  const running =
    tasks.length === 0
      ? [[span(' Nothing runs there. ', 'dim'), span('t lists its tasks.', 'dim')]]
      : [[span(' Running', 'strong')], ...taskRows(model, tasks, left, look)];
  const shown = [...top, ...running];
  return [...shown, ...logRows(log, rows - shown.length, look)];
}
