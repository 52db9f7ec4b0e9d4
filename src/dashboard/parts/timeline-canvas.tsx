/**
 * The picture of the time line: bars on a canvas, one row for each slot in use, the names of workers at the left. Pointing at a
 * bar picks it, arrow keys go from one to the next of those in sight, Enter opens its task; dragging or + chooses a part of the
 * time, Escape gives it back. It decides nothing about the data.
 */

import { useEffect, useRef, useState } from 'preact/hooks';
import { useMedia } from '../hooks.ts';
import { cutToFit } from '../model/format.ts';
import { type Bar, barAfter, isSame, type Lanes, type Range, standing } from '../model/lanes.ts';

interface CanvasProps {
  readonly lanes: Lanes;
  readonly range: Range;
  readonly nameOf: (workerId: string) => string;
  readonly picked: Bar | null;
  readonly onPick: (bar: Bar | null) => void;
  readonly onRange: (range: Range) => void;
  readonly onOpen: (bar: Bar) => void;
  /** `factor` below 1 looks closer, around the wall ms `middle`. */
  readonly onZoom: (zoom: { readonly middle: number; readonly factor: number }) => void;
  /** Back from the part that was chosen. */
  readonly onBack: () => void;
}

const rowPx = 16;
const gapPx = 2;
const axisPx = 22;
/** A drag shorter than this is a click. */
const dragPx = 6;
/** Rows of a very large cluster beyond these are left out of the picture. */
const rowsMax = 1500;

function nameWidth(width: number): number {
  return width < 600 ? 84 : 140;
}

/** Where things lie, for drawing and for pointing alike. */
function geometry(width: number, range: Range) {
  const left = nameWidth(width);
  const scale = (width - left) / Math.max(1, range.to - range.from);
  return {
    left,
    x: (ms: number): number => left + (ms - range.from) * scale,
    ms: (x: number): number => range.from + (x - left) / scale,
  };
}

function draw(canvas: HTMLCanvasElement, { lanes, range, nameOf, picked }: CanvasProps, width: number): void {
  const rows = Math.min(lanes.rows, rowsMax);
  const height = rows * rowPx + axisPx;
  const ratio = devicePixelRatio;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext('2d');
  if (pen === null) return;
  const style = getComputedStyle(canvas);
  const color = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  pen.scale(ratio, ratio);
  pen.font = `12px ${style.fontFamily}`;
  pen.textBaseline = 'middle';
  const { left, x } = geometry(width, range);
  drawAxis(pen, { range, x, height, color });
  const colors = { running: color('accent'), good: color('good'), bad: color('bad'), gone: color('gone') };
  for (const bar of lanes.bars) {
    if (bar.to < range.from || bar.from > range.to || bar.row >= rows) continue;
    const from = Math.max(left, x(bar.from));
    pen.fillStyle = colors[standing(bar.span)];
    pen.fillRect(from, bar.row * rowPx + gapPx / 2, Math.max(1.5, Math.min(width, x(bar.to)) - from), rowPx - gapPx);
    if (isSame(bar, picked)) {
      pen.strokeStyle = color('text');
      pen.lineWidth = 2;
      pen.strokeRect(from, bar.row * rowPx + 1, Math.max(2, Math.min(width, x(bar.to)) - from), rowPx - 2);
    }
  }
  for (const lane of lanes.lanes) {
    pen.fillStyle = color('line');
    pen.fillRect(0, lane.firstRow * rowPx, width, 1);
    pen.fillStyle = color('text');
    const name = cutToFit(nameOf(lane.workerId), (text) => pen.measureText(text).width <= left - 8);
    pen.fillText(name, 4, lane.firstRow * rowPx + rowPx / 2 + 1);
  }
}

interface Axis {
  readonly range: Range;
  readonly x: (ms: number) => number;
  readonly height: number;
  readonly color: (name: string) => string;
}

function drawAxis(pen: CanvasRenderingContext2D, { range, x, height, color }: Axis): void {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600].map((seconds) => seconds * 1000);
  const span = range.to - range.from;
  const step = steps.find((each) => span / each <= Math.max(2, (x(range.to) - x(range.from)) / 110)) ?? 3_600_000;
  for (let at = Math.ceil(range.from / step) * step; at <= range.to; at += step) {
    pen.fillStyle = color('line');
    pen.fillRect(x(at), 0, 1, height - axisPx);
    pen.fillStyle = color('faint');
    pen.fillText(new Date(at).toLocaleTimeString('en-GB'), x(at) - 24, height - axisPx / 2);
  }
}

function barAt({ lanes, range }: CanvasProps, width: number, point: { x: number; y: number }): Bar | null {
  const { ms, left } = geometry(width, range);
  if (point.x < left) return null;
  const row = Math.floor(point.y / rowPx);
  const at = ms(point.x);
  const slack = ms(left + 3) - ms(left);
  return lanes.bars.findLast((bar) => bar.row === row && bar.from - slack <= at && at <= bar.to + slack) ?? null;
}

/** What a key does here; null = nothing. */
const moves: Readonly<Record<string, 'before' | 'after' | 'first' | 'last'>> = {
  ArrowLeft: 'before',
  ArrowUp: 'before',
  ArrowRight: 'after',
  ArrowDown: 'after',
  Home: 'first',
  End: 'last',
};
const zooms: Readonly<Record<string, number>> = { '+': 0.5, '=': 0.5, '-': 2 };

export function TimelineCanvas(props: CanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(600);
  const dragFrom = useRef<number | null>(null);
  useMedia('(prefers-color-scheme: dark)');
  useEffect(() => {
    const box = canvas.current?.parentElement;
    if (box == null) return;
    const resized = new ResizeObserver(() => setWidth(box.clientWidth));
    resized.observe(box);
    return () => resized.disconnect();
  }, []);
  useEffect(() => {
    if (canvas.current !== null) draw(canvas.current, props, width);
  });
  const up = ({ offsetX, offsetY }: PointerEvent): void => {
    const from = dragFrom.current;
    dragFrom.current = null;
    const { ms, left } = geometry(width, props.range);
    if (from !== null && Math.abs(offsetX - from) > dragPx) {
      const [first, last] = [Math.max(left, Math.min(from, offsetX)), Math.max(from, offsetX)];
      props.onRange({ from: ms(first), to: ms(last) });
    } else props.onPick(barAt(props, width, { x: offsetX, y: offsetY }));
  };
  const move = ({ offsetX, offsetY, pointerType }: PointerEvent): void => {
    if (dragFrom.current !== null || pointerType !== 'mouse') return;
    const bar = barAt(props, width, { x: offsetX, y: offsetY });
    if (bar !== null) props.onPick(bar);
  };
  const key = (event: KeyboardEvent): void => {
    const { lanes, picked, range } = props;
    const { [event.key]: move } = moves;
    const { [event.key]: factor } = zooms;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const shown = picked === null ? undefined : lanes.bars.find((bar) => isSame(bar, picked));
    const middle = shown === undefined ? (range.from + range.to) / 2 : (shown.from + shown.to) / 2;
    if (move !== undefined) props.onPick(barAfter(lanes, picked, move));
    else if (factor !== undefined) props.onZoom({ middle, factor });
    else if (event.key === 'Enter' && picked !== null) props.onOpen(picked);
    else if (event.key === 'Escape') props.onBack();
    else return;
    event.preventDefault();
  };
  const { lanes } = props;
  return (
    <div class="timeline card">
      <canvas
        ref={canvas}
        tabIndex={0}
        role="img"
        aria-label={`${lanes.bars.length} attempts on ${lanes.lanes.length} workers; arrow keys, Home and End go from one to the next, Enter opens its task, + and - look closer and wider, Escape goes back`}
        onPointerDown={({ offsetX }) => {
          dragFrom.current = offsetX;
        }}
        onPointerUp={up}
        onPointerMove={move}
        onKeyDown={key}
      />
    </div>
  );
}
