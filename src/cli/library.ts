/** The pages of the documentation as they are in the program, and how they are shown. Interfaces only. */

/** One page of `docs/`. */
export interface Page {
  /** As it is asked for: `terminal-dashboard`. */
  readonly name: string;
  /** GitHub flavoured Markdown. */
  readonly text: string;
}

export interface PageLook {
  /** Cells of a line. */
  readonly columns: number;
  readonly color: boolean;
}

export interface Library {
  /** By name. */
  readonly pages: readonly Page[];
  /** Markdown as text for a terminal, or plain. */
  render(markdown: string, look: PageLook): string;
  /** Shows a text by the reader's pager, to its end; false: there is none, nothing was shown. */
  page(text: string): Promise<boolean>;
}
