/** Keys and the wheel that move: along lists, pages of tasks, output, the journal. Pure. */

import { shownEntries } from './journal.ts';
import { chromeRows, journalRows, listRows, outputRows } from './layout.ts';
import { type Key, type Model, outputLookOf, type Page, readTasks, type Step, shownWorkers, step } from './model.ts';
import { outputRowsOf } from './output.ts';
import { isNewestFirst } from './sorting.ts';
import { explanationRows } from './views/detail.ts';

/** The output of the open task moved by so many lines, up when positive. */
export function scrolled(model: Model, by: number): Step {
  const { detail } = model;
  if (detail === null) return step(model);
  const most = outputRowsOf(detail.output, outputLookOf(model)).length - outputRows(model.size);
  const scroll = Math.max(0, Math.min(detail.scroll + by, most));
  return step({ ...model, detail: { ...detail, scroll } });
}

/** The explanation moved by so many rows, down when positive. */
export function readOn(model: Model, by: number): Step {
  const { explanation: about, size, ruler, explanationScroll } = model;
  if (about === null) return step(model);
  const look = { ...size, ascii: ruler.ascii ?? false, textWidth: ruler.textWidth };
  const most = explanationRows(about, look).length - (size.rows - chromeRows);
  return step({ ...model, explanationScroll: Math.max(0, Math.min(explanationScroll + by, most)) });
}

function withPage(model: Model, cursors: Page['cursors'], selectedTask: number): Step {
  return step({ ...model, page: { ...model.page, cursors, fresh: false }, selectedTask }, readTasks);
}

const clamp = (index: number, length: number): number => Math.max(0, Math.min(index, length - 1));

/** The selection moved along the tasks; past the edge of a page the next page comes. */
function movedTask(model: Model, by: number): Step {
  const { page, selectedTask } = model;
  const wanted = selectedTask + by;
  const last = page.tasks.length - 1;
  const turns = page.fresh && isNewestFirst(model.sort) && Number.isFinite(by);
  if (turns && wanted > last && selectedTask === last && page.next !== null) {
    return withPage(model, [...page.cursors, page.next], 0);
  }
  if (turns && wanted < 0 && selectedTask === 0 && page.cursors.length > 1) {
    return withPage(model, page.cursors.slice(0, -1), listRows(model.size) - 1);
  }
  return step({ ...model, selectedTask: clamp(wanted, page.tasks.length) });
}

/** What is selected, or scrolled, moved by so many rows, down when positive. */
export function moved(model: Model, by: number): Step {
  switch (model.tab) {
    case 'workers':
      if (model.workerPage !== null) return step(model);
      return step({ ...model, selectedWorker: clamp(model.selectedWorker + by, shownWorkers(model).length) });
    case 'tasks':
      return movedTask(model, by);
    case 'logs': {
      const most = shownEntries(model.journal).length - journalRows(model.size);
      const scroll = Math.max(0, Math.min(model.journal.scroll - by, most));
      return step({ ...model, journal: { ...model.journal, scroll } });
    }
    case 'approvals':
      return step({ ...model, selectedDevice: clamp(model.selectedDevice + by, model.approvals.length) });
    case 'overview':
      return step(model);
  }
}

/** Keys that move; null for any other. */
export function onMove(model: Model, { name }: Key): Step | null {
  const rows = listRows(model.size);
  const distances: Readonly<Record<string, number>> = {
    ...{ up: -1, k: -1, down: 1, j: 1, pageup: -rows, pagedown: rows },
    ...{ home: -Infinity, g: -Infinity, end: Infinity, G: Infinity },
  };
  const by = distances[name];
  if (by === undefined) return null;
  if (model.explanation !== null) return readOn(model, by);
  if (model.detail !== null) return scrolled(model, -by);
  if (by === -Infinity && model.tab === 'tasks' && model.page.cursors.length > 1) return withPage(model, [null], 0);
  return moved(model, by);
}
