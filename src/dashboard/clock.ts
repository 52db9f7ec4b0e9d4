/**
 * The dispatcher's time. All instants the page shows are the dispatcher's, and the clock of a phone or laptop may be wrong by
 * hours: `seen 1 h ago` would stand at a worker that is there. Every answer says its time (`Date`, RFC 9110, 6.6.1), in whole
 * seconds; a smaller difference than `toleratedMs` is none, so that nothing jumps.
 */

const toleratedMs = 3000;

let aheadMs = 0;

/** How far the dispatcher's clock is ahead of `localMs`, ms; `before` where it is about that, or the header tells nothing. */
export function aheadBy(date: string | null, localMs: number, before: number): number {
  const server = date === null ? Number.NaN : Date.parse(date);
  // The header is cut to whole seconds: on average it is half of one late.
  const found = server + 500 - localMs;
  if (Number.isNaN(found) || Math.abs(found - before) < toleratedMs) return before;
  return Math.abs(found) < toleratedMs ? 0 : found;
}

/** Takes the time from an answer's `Date`. */
export function setByServer(date: string | null): void {
  aheadMs = aheadBy(date, Date.now(), aheadMs);
}

/** Wall ms of the dispatcher. */
export function wallMs(): number {
  return Date.now() + aheadMs;
}
