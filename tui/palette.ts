/**
 * Colours by meaning: what a style is on a terminal of so many colours, as the parameters of a control sequence. Pure.
 *
 * ECMA-48, section 8.3.117 (SGR); ITU-T T.416 colours in xterm's form, `38;5;n` and `38;2;r;g;b`. With few colours the
 * sixteen that a person chose for the terminal are used; those of our own are neither very light nor very dark, so that
 * they can be read on both. Backgrounds are left alone. Without colours, bold and inverse say what they can.
 */

import { heatSteps, type Style } from './lines.ts';

/** Colours of a terminal: none, or 8, 16, 256, 2^24. */
export type ColorDepth = 0 | 8 | 16 | 256 | 16_777_216;

type Rgb = readonly [red: number, green: number, blue: number];

interface Look {
  /** 1 bold, 7 inverse. */
  readonly flags: readonly number[];
  /** Of the sixteen: 0 to 7, 8 to 15 the bright ones; null = the terminal's own. */
  readonly basic: number | null;
  readonly rich: Rgb | null;
}

const own: Look = { flags: [], basic: null, rich: null };
const green: Rgb = [46, 160, 67];
const yellow: Rgb = [191, 135, 0];
const red: Rgb = [218, 54, 51];

/** A step on the way from green over yellow to red. */
function heat(step: number): Look {
  const share = step / (heatSteps - 1);
  const [from, to, part] = share < 0.5 ? [green, yellow, share * 2] : [yellow, red, share * 2 - 1];
  const mix = (i: 0 | 1 | 2): number => Math.round(from[i] + (to[i] - from[i]) * part);
  return { flags: [], basic: share < 0.6 ? 2 : share < 0.85 ? 3 : 1, rich: [mix(0), mix(1), mix(2)] };
}

const named: Readonly<Record<Exclude<Style, `heat${number}`>, Look>> = {
  plain: own,
  dim: { flags: [], basic: 8, rich: [130, 130, 130] },
  strong: { ...own, flags: [1] },
  good: { flags: [], basic: 2, rich: green },
  bad: { flags: [1], basic: 1, rich: red },
  warn: { flags: [], basic: 3, rich: yellow },
  busy: { flags: [], basic: 6, rich: [23, 146, 166] },
  title: { ...own, flags: [1, 7] },
  selected: { ...own, flags: [7] },
};

function lookOf(style: Style): Look {
  const step = /^heat(\d+)$/.exec(style)?.[1];
  return step === undefined ? named[style as keyof typeof named] : heat(Number(step));
}

/** The nearest of xterm's cube of 6x6x6 colours or its 24 greys. */
function indexOf([r, g, b]: Rgb): number {
  if (r === g && g === b) return 232 + Math.max(0, Math.min(23, Math.round((r - 8) / 10)));
  // Its steps are 0, 95, 135, 175, 215, 255.
  const step = (value: number): number => (value < 48 ? 0 : value < 115 ? 1 : Math.round((value - 55) / 40));
  return 16 + 36 * step(r) + 6 * step(g) + step(b);
}

function colorOf({ basic, rich }: Look, depth: ColorDepth): string[] {
  if (depth === 0 || basic === null || rich === null) return [];
  if (depth === 16_777_216) return [`38;2;${rich.join(';')}`];
  if (depth === 256) return [`38;5;${indexOf(rich)}`];
  if (basic < 8) return [`${30 + basic}`];
  return depth === 16 ? [`${90 + basic - 8}`] : [];
}

/** The parameters that begin this style anew: `0`, `0;1;31`. */
export function sgrOf(style: Style, depth: ColorDepth): string {
  const look = lookOf(style);
  return ['0', ...look.flags.map(String), ...colorOf(look, depth)].join(';');
}

/**
 * How many colours a terminal has: by what it says of itself (`COLORTERM`, the name in `TERM`), else by its description,
 * which has `described` of them. NO_COLOR is the caller's business.
 */
export function depthOf(env: Readonly<Record<string, string | undefined>>, described: number): ColorDepth {
  const { COLORTERM = '', TERM = '' } = env;
  if (/^(?:truecolor|24bit)$/i.test(COLORTERM) || /-direct|truecolor/.test(TERM)) return 16_777_216;
  if (/256|kitty|alacritty|ghostty|wezterm|foot/.test(TERM) || described >= 256) return 256;
  if (described >= 16 || COLORTERM !== '' || /-16color/.test(TERM)) return 16;
  return described >= 8 ? 8 : 0;
}
