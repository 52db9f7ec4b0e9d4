/**
 * Lines over time, drawn by uPlot on a canvas. Colours are those of the style sheet, so that light and dark follow; what the
 * picture says is told in words beside it. It owns the canvas and nothing else.
 */

import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { useMedia } from '../hooks.ts';

export interface Series {
  readonly label: string;
  /** Name of the colour in the style sheet: `--NAME`. */
  readonly color: string;
  readonly values: readonly (number | null)[];
}

interface ChartProps {
  readonly title: string;
  /** Wall ms of each value. */
  readonly at: readonly number[];
  readonly series: readonly Series[];
  /** Text of a value. */
  readonly text: (value: number) => string;
  /** There is nothing between two whole numbers. */
  readonly whole?: boolean;
}

const heightPx = 150;

/** Steps of a scale of things that are counted. */
const wholeSteps = [1, 2, 5]
  .flatMap((step) => [0, 1, 2, 3, 4, 5, 6].map((power) => step * 10 ** power))
  .toSorted((a, b) => a - b);

function optionsOf({ series, text, whole = false }: ChartProps, box: HTMLElement): uPlot.Options {
  const style = getComputedStyle(box);
  const color = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: color('faint'),
    grid: { stroke: color('line'), width: 1 },
    ticks: { show: false },
    font: `11px ${style.fontFamily}`,
  };
  return {
    width: box.clientWidth,
    height: heightPx,
    cursor: { show: false },
    legend: { show: false },
    scales: { y: { range: (_plot, _least, most) => [0, Math.max(1, most * 1.15)] } },
    axes: [
      { ...axis, size: 24, space: 80, incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300], values: '{HH}:{mm}:{ss}' },
      { ...axis, size: 44, values: (_plot, splits) => splits.map(text), ...(whole ? { incrs: wholeSteps } : {}) },
    ],
    series: [
      {},
      ...series.map((one) => ({ label: one.label, stroke: color(one.color), width: 1.8, points: { show: false } })),
    ],
  };
}

function dataOf({ at, series }: ChartProps): uPlot.AlignedData {
  return [at.map((ms) => ms / 1000), ...series.map(({ values }) => [...values])];
}

/** Draws anew when values come, and from the beginning when series or colours change. */
export function Chart(props: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const isDark = useMedia('(prefers-color-scheme: dark)');
  const shape = props.series.map(({ label }) => label).join('\n');
  useEffect(() => {
    const place = box.current;
    if (place === null) return;
    const made = new uPlot(optionsOf(props, place), dataOf(props), place);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: place.clientWidth, height: heightPx }));
    resized.observe(place);
    return () => {
      resized.disconnect();
      made.destroy();
    };
  }, [isDark, shape]);
  useEffect(() => {
    plot.current?.setData(dataOf(props));
  });
  const last = props.series.map(({ label, color, values }) => {
    const value = values.findLast((each) => each !== null) ?? null;
    return { label, color, value: value === null ? '–' : props.text(value) };
  });
  return (
    <figure class="chart card">
      <figcaption>
        <h2>{props.title}</h2>
        <ul class="legend">
          {last.map(({ label, color, value }) => (
            <li key={label}>
              <span class={`swatch ${color}`} aria-hidden="true" />
              {label} <b>{value}</b>
            </li>
          ))}
        </ul>
      </figcaption>
      <div
        ref={box}
        class="plot"
        role="img"
        aria-label={`${props.title} over the last minutes. Now: ${last.map(({ label, value }) => `${label} ${value}`).join(', ')}.`}
      />
    </figure>
  );
}
