/** The fifth tab: devices that ask to join, each with the code it shows itself. Pure. */

import type { ApprovalView } from '../../src/api/trust-schemas.ts';
import { groupedCode } from '../deciding.ts';
import {
  type Cell,
  type Column,
  firstShown,
  fitting,
  type Row,
  selected,
  span,
  tableHead,
  tableRow,
} from '../lines.ts';
import type { Model } from '../model.ts';
import { cut, formatAge, type Look, wrap } from '../text.ts';
import type { Listing } from './workers.ts';

interface Fact {
  readonly column: Column;
  cell(device: ApprovalView, now: number): Cell;
}

const facts: readonly Fact[] = [
  { column: { title: 'CODE', width: 7 }, cell: ({ code }) => span(groupedCode(code), 'strong') },
  { column: { title: 'NAME', width: null }, cell: ({ name }) => name },
  { column: { title: 'ADDRESS', width: 21, rank: 3 }, cell: ({ address }) => address },
  { column: { title: 'PLATFORM', width: 14, rank: 4 }, cell: ({ platform, arch }) => `${platform}/${arch}` },
  {
    column: { title: 'ASKED', width: 5, align: 'right', rank: 2 },
    cell: ({ asked_at: asked }, now) => formatAge(now - Date.parse(asked)),
  },
  {
    column: { title: 'LEFT', width: 4, align: 'right', rank: 1 },
    cell: ({ expires_at: expires }, now) => formatAge(Date.parse(expires) - now),
  },
];

/** Rows below the list: a gap and what is to be compared. */
const footRows = 3;
/** Rows of what is said where no device asks. */
const emptyRows = 4;

/** At most `rows` rows. */
export function approvals(model: Model, rows: number, look: Look): Listing {
  const { approvals: devices, selectedDevice, now } = model;
  if (devices.length === 0) {
    const hint = "No device asks to join. One that is started with 'octaskly worker' and has no secret does.";
    const lines = wrap(hint, look.columns - 2, emptyRows, look).map((line): Row => [span(` ${line}`, 'dim')]);
    return { rows: [[span(' Approvals', 'strong')], ...lines], indexes: [] };
  }
  const shownFacts = fitting(facts, look);
  const columns = shownFacts.map(({ column }) => column);
  const places = Math.max(1, rows - 2 - footRows);
  const first = firstShown(selectedDevice, devices.length, places);
  const shown = devices.slice(first, first + places).map((device, i): Row => {
    const cells = shownFacts.map(({ cell }) => cell(device, now));
    const row = tableRow(columns, cells, look);
    return first + i === selectedDevice ? selected(row, look) : row;
  });
  const fingerprint = devices[selectedDevice]?.fingerprint ?? '';
  const head: Row = [span(' Approvals', 'strong'), span(`  ${selectedDevice + 1} of ${devices.length}`, 'dim')];
  const foot: Row[] = [
    [],
    [span(cut(' Let in only a device that shows the same code: names are chosen by devices.', look.columns, look))],
    [span(` key ${cut(fingerprint, look.columns - 6, look)}`, 'dim')],
  ];
  const indexes = [null, null, ...shown.map((_, i) => first + i)];
  return { rows: [head, tableHead(columns, look), ...shown, ...foot], indexes };
}
