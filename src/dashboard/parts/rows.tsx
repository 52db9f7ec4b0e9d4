/**
 * A long list of which only what is in sight is in the document. Rows are of one height, so the place of each is known without
 * drawing it. To who listens it is a table that says how many rows there are.
 */

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { windowOf } from '../model/rows.ts';

interface RowsProps {
  readonly label: string;
  /** Of the columns. */
  readonly heads: readonly string[];
  readonly count: number;
  readonly rowHeight: number;
  /** The cells of a row, each a `role="cell"`. */
  readonly row: (index: number) => { readonly key: string; readonly cells: ComponentChildren };
  /** Called when the last rows come into sight. */
  readonly onEnd: () => void;
}

/** Rows before the end at which more is asked for. */
const endRows = 40;

/** After the key End the last row stays in sight while more are read, until something else is done. */
function useEnd(box: { readonly current: HTMLElement | null }, count: number) {
  const toEnd = useRef(false);
  useEffect(() => {
    if (toEnd.current && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [count]);
  const stay = (): void => {
    toEnd.current = false;
  };
  const key = (event: KeyboardEvent): void => {
    if (['ArrowUp', 'PageUp', 'Home', 'End', ' '].includes(event.key)) toEnd.current = event.key === 'End';
  };
  return { key, stay };
}

export function Rows({ label, heads, count, rowHeight, row, onEnd }: RowsProps) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ scrollTop: 0, height: 800 });
  useEffect(() => {
    const place = box.current;
    if (place === null) return;
    const look = (): void => setView({ scrollTop: place.scrollTop, height: place.clientHeight });
    const resized = new ResizeObserver(look);
    resized.observe(place);
    place.addEventListener('scroll', look, { passive: true });
    return () => {
      resized.disconnect();
      place.removeEventListener('scroll', look);
    };
  }, []);
  const { from, to } = windowOf({ ...view, rowHeight, count });
  useEffect(() => {
    if (to > count - endRows) onEnd();
  }, [to, count]);
  const { key, stay } = useEnd(box, count);
  const indexes = Array.from({ length: to - from }, (_, at) => from + at);
  return (
    <section
      class="rows"
      ref={box}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
      tabIndex={0}
      aria-label={label}
      onKeyDown={key}
      onWheel={stay}
      onPointerDown={stay}
    >
      <div role="table" aria-label={label} aria-rowcount={count + 1}>
        <div role="rowgroup" class="head">
          <div role="row" class="row" aria-rowindex={1}>
            {heads.map((head) => (
              <span role="columnheader" key={head}>
                {head}
              </span>
            ))}
          </div>
        </div>
        <div role="rowgroup" class="body" style={{ height: `${count * rowHeight}px` }}>
          {indexes.map((index) => {
            const { key, cells } = row(index);
            return (
              <div
                role="row"
                class="row"
                key={key}
                aria-rowindex={index + 2}
                style={{ transform: `translateY(${index * rowHeight}px)`, height: `${rowHeight}px` }}
              >
                {cells}
              </div>
            );
          })}
        </div>
      </div>
    </section>
  );
}
