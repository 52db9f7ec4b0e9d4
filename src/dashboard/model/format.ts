/** Numbers, durations and instants as people read them. Pure; the present is handed in. */

/** `1.5 KiB`, from bytes. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`;
}

/** `850 ms`, `12.3 s`, `4 min 5 s`, `2 h 3 min`, `3 d 4 h`; an empty text for null. */
export function durationText(ms: number | null): string {
  if (ms === null) return '';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/** How long ago an ISO instant was: `now`, `5 min ago`. */
export function agoText(iso: string, nowMs: number): string {
  const ms = nowMs - Date.parse(iso);
  if (ms < 5000) return 'now';
  const [first = '', unit = ''] = durationText(ms).split(' ');
  return `${first.replace(/\.\d+$/, '')} ${unit} ago`;
}

/** How long until an ISO instant: `in 5 min`, or `over`. */
export function untilText(iso: string, nowMs: number): string {
  const ms = Date.parse(iso) - nowMs;
  return ms <= 0 ? 'over' : `in ${durationText(ms)}`;
}

/** `12,345`. */
export function countText(count: number): string {
  return Math.round(count).toLocaleString('en');
}

/** A rate: `0.25`, `12.3`, `1,234` a second. */
export function rateText(perSecond: number): string {
  if (perSecond >= 100) return countText(perSecond);
  return perSecond >= 10 || perSecond === 0 ? perSecond.toFixed(perSecond === 0 ? 0 : 1) : perSecond.toFixed(2);
}

/**
 * Text without what a terminal would obey and what turns the direction of text around or is not seen (Unicode TR 36, 2.5). The
 * joiners stay: Persian, the scripts of India and emoji are written with them.
 */
export function plainText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, '·');
}

/** Likewise of several lines, whose ends and tabs stay. */
export function plainLines(text: string): string {
  return text.replace(/[^\n\t]+/g, plainText);
}

/** As much of `text` from its beginning as `fits`, with `…` where something is left out. */
export function cutToFit(text: string, fits: (text: string) => boolean): string {
  if (fits(text)) return text;
  const chars = [...text];
  let [least, most] = [0, chars.length];
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (fits(`${chars.slice(0, middle).join('')}…`)) least = middle;
    else most = middle - 1;
  }
  return `${chars.slice(0, least).join('')}…`;
}

/** Order of things with names, as people count: `pi2` before `pi10`. */
export function byName(left: { readonly name: string }, right: { readonly name: string }): number {
  return left.name.localeCompare(right.name, 'en', { numeric: true });
}
