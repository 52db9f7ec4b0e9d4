/** How the screen is divided: rows of what stands above, below and in lists, and what is left for them. Pure. */

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Rows of the screen that are not the body: title, tabs, a rule above and below, message, keys. */
export const chromeRows = 6;
/** Rows of a list's body that are not its rows: what is listed, and the column titles. */
const listHeadRows = 2;
/** Rows about an open task at most: its state, its command, facts. */
const detailHeadMax = 7;

/** Rows of a list that `size` has place for; at least 1. */
export function listRows({ rows }: Size): number {
  return Math.max(1, rows - chromeRows - listHeadRows);
}

/** Entries of the journal that `size` has place for; at least 1. */
export function journalRows({ rows }: Size): number {
  return Math.max(1, rows - chromeRows - 1);
}

/** Rows about an open task: on a small screen fewer, so that its output is seen; at least 1. */
export function detailHeadRows({ rows }: Pick<Size, 'rows'>): number {
  return Math.max(1, Math.min(detailHeadMax, Math.floor((rows - chromeRows) * 0.4)));
}

/** Rows of output that `size` has place for, below the head and a line; at least 1. */
export function outputRows(size: Size): number {
  return Math.max(1, size.rows - chromeRows - detailHeadRows(size) - 1);
}
