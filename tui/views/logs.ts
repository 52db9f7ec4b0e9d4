/** The fourth tab: what happened, newest last. Pure. */

import { type Entry, type Journal, type Level, shownEntries } from '../journal.ts';
import { type Row, type Style, span } from '../lines.ts';
import type { Model } from '../model.ts';
import { cut, harmless, type Look } from '../text.ts';

const levelStyles: Readonly<Record<Level, Style>> = { debug: 'dim', info: 'good', warn: 'warn', error: 'bad' };

function entryRow({ at, level, text }: Entry, look: Look): Row {
  // Local time of day, as a clock on the wall shows it.
  const time = Number.isFinite(at) ? new Date(at).toTimeString().slice(0, 8) : '--:--:--';
  return [
    span(` ${time} `, 'dim'),
    span(level.padEnd(5), levelStyles[level]),
    span(` ${cut(text, look.columns - 16, look)}`),
  ];
}

function headline({ least, find, scroll }: Journal, look: Look): Row {
  const what = least === 'debug' ? 'Everything that happened' : `${least} and above`;
  const word = find === '' ? '' : `, with "${harmless(find, look.ascii)}"`;
  const below = scroll === 0 ? '' : `  ${scroll} below`;
  return [span(` ${what}${word}`, 'strong'), span(`${below}  l level  / search`, 'dim')];
}

/** At most `rows` rows. */
export function logs({ journal }: Model, rows: number, look: Look): Row[] {
  const head = headline(journal, look);
  const shown = shownEntries(journal);
  if (shown.length === 0) {
    const nothing = journal.entries.length === 0 ? ' Nothing happened since this dashboard was opened.' : ' None fits.';
    return [head, [span(nothing, 'dim')]];
  }
  const places = Math.max(0, rows - 1);
  const end = Math.max(Math.min(places, shown.length), shown.length - journal.scroll);
  return [head, ...shown.slice(Math.max(0, end - places), end).map((entry) => entryRow(entry, look))];
}
