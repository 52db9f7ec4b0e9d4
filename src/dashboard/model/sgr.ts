/**
 * The looks of text in a terminal, as far as they are shown: colour of the letters and weight (ECMA-48 8.3.117, ISO 8613-6).
 * The sixteen colours by name become names of classes, so that each theme gives them its own; those of the palette of 256 and of
 * 24 bits are values. Backgrounds, blinking and all others are not shown. Pure.
 */

export interface Look {
  /** Of one of the colours by name; '' = none. */
  readonly name: string;
  /** `#rrggbb` of any other; '' = none. */
  readonly value: string;
  readonly bold: boolean;
  readonly faint: boolean;
}

export const plain: Look = { name: '', value: '', bold: false, faint: false };

const names = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'] as const;
/** Levels of red, green and blue in the palette's cube. */
const levels = [0, 95, 135, 175, 215, 255] as const;

function hex(...parts: readonly number[]): string {
  const inRange = parts.map((part) => Math.max(0, Math.min(255, Number.isFinite(part) ? Math.round(part) : 0)));
  return `#${inRange.map((part) => part.toString(16).padStart(2, '0')).join('')}`;
}

/** A colour of the palette: sixteen by name, a cube of six levels, a ramp of greys. */
function ofPalette(index: number): Pick<Look, 'name' | 'value'> {
  if (!(index >= 0 && index < 256)) return { name: '', value: '' };
  if (index < 16) return { name: names[index % 8] ?? '', value: '' };
  if (index >= 232) return { name: '', value: hex(...Array(3).fill(8 + (index - 232) * 10)) };
  const at = (step: number): number => levels[Math.floor((index - 16) / step) % 6] ?? 0;
  return { name: '', value: hex(at(36), at(6), at(1)) };
}

/** `kind` 5: one of the palette; 2: red, green, blue, after a colour space where there are four. */
function ofExtended([kind, ...rest]: readonly number[]): Pick<Look, 'name' | 'value'> {
  if (kind === 5) return ofPalette(rest[0] ?? -1);
  return {
    name: '',
    value: kind === 2 && rest.length >= 3 ? hex(...rest.slice(rest.length > 3 ? 1 : 0).slice(0, 3)) : '',
  };
}

function afterCode(look: Look, code: number): Look {
  if (code === 0) return plain;
  if (code === 1) return { ...look, bold: true };
  if (code === 2) return { ...look, faint: true };
  if (code === 22) return { ...look, bold: false, faint: false };
  if (code === 39) return { ...look, name: '', value: '' };
  const name = names[code < 90 ? code - 30 : code - 90];
  return name === undefined ? look : { ...look, name, value: '' };
}

/** The look after a sequence `ESC [ codes m`. */
export function afterCodes(look: Look, codes: string): Look {
  const groups = codes.split(';').map((group) => group.split(':').map(Number));
  let next = look;
  for (let at = 0; at < groups.length; at++) {
    const [code = 0, ...parts] = groups[at] ?? [];
    if (code !== 38 && code !== 48) {
      next = afterCode(next, code);
      continue;
    }
    // Old writers separate the parts of a colour as they do codes.
    const own = parts.length > 0 ? parts : groups.slice(at + 1, at + 5).map(([part = 0]) => part);
    const length = own[0] === 5 ? 2 : 4;
    if (code === 38) next = { ...next, ...ofExtended(parts.length > 0 ? own : own.slice(0, length)) };
    if (parts.length === 0) at += length;
  }
  return next;
}

/** Names of classes, separated by spaces; '' = none. */
export function classOf({ name, bold, faint }: Look): string {
  return [name === '' ? '' : `ansi-${name}`, bold ? 'ansi-bold' : '', faint ? 'ansi-faint' : '']
    .filter((each) => each !== '')
    .join(' ');
}
