/**
 * What a task writes, as it comes: followed until somebody scrolls up or pauses. Text only; see `model/ansi.ts`. It is read in
 * short requests (see `live.ts`), each from where the last one ended, and drawn `drawMs` later at the earliest.
 */

import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { TaskView } from '../../api/schemas.ts';
import { OctasklyError, reasonOf } from '../../base/errors.ts';
import { isTransient } from '../../client/http.ts';
import { isFinal } from '../../core/task.ts';
import { type Live, pause } from '../live.ts';
import { type Block, type Line, OutputLines } from '../model/ansi.ts';
import { bytesText, countText } from '../model/format.ts';
import { Tail, tailBytesMax } from '../model/tail.ts';
import { Failure } from './small.tsx';

type Stream = 'stdout' | 'stderr';

/** Drawings a second are enough for reading. */
const drawMs = 120;
const readMs = 500;

interface Shown {
  readonly blocks: readonly Block[];
  /** Bytes of the stream up to the end of what is shown. */
  readonly bytes: number;
  /** The beginning is not shown. */
  readonly isCut: boolean;
  readonly done: boolean;
  readonly error: string | null;
}

const nothing: Shown = { blocks: [], bytes: 0, isCut: false, done: false, error: null };

/** The bytes of one stream on their way to lines. */
class Reading {
  readonly #lines = new OutputLines();
  readonly #tail = new Tail();
  #decoder = new TextDecoder();
  #hasGap: boolean;
  /** Of the next byte wanted. */
  position: number;

  constructor(from: number) {
    this.position = from;
    this.#hasGap = from > 0;
  }

  push(chunk: Uint8Array): void {
    this.position += chunk.length;
    this.#tail.push(chunk);
  }

  look(): Pick<Shown, 'blocks' | 'bytes' | 'isCut'> {
    const { bytes, gap } = this.#tail.take();
    if (gap) {
      this.#hasGap = true;
      this.#lines.clear();
      this.#decoder = new TextDecoder();
    }
    this.#lines.push(this.#decoder.decode(bytes, { stream: true }));
    const blocks = this.#lines.blocks();
    return { blocks, bytes: this.position, isCut: this.#hasGap || (blocks[0]?.id ?? 0) > 0 };
  }
}

/** The stream of the task's present attempt as lines; goes on until the task ends or the view goes away. */
function useOutput(live: Live, task: TaskView, stream: Stream): Shown {
  const { id, attempt } = task;
  const [shown, setShown] = useState(nothing);
  const latest = useRef(task);
  latest.current = task;
  useEffect(() => {
    setShown(nothing);
    const { signal, abort } = abortion();
    const total = isFinal(latest.current.status) ? latest.current[`${stream}_bytes`] : 0;
    const reading = new Reading(Math.max(0, total - tailBytesMax));
    let timer: ReturnType<typeof setTimeout> | null = null;
    const draw = (end: Partial<Shown> = {}): void => {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      if (!signal.aborted) setShown({ ...reading.look(), done: false, error: null, ...end });
    };
    const read = async (): Promise<void> => {
      for await (const chunk of live.client.output(id, { stream, from: reading.position, signal })) {
        reading.push(chunk);
        timer ??= setTimeout(draw, drawMs);
      }
    };
    const follow = async (): Promise<void> => {
      for (let isOver = false; !isOver && !signal.aborted; ) {
        // What is read after the end was known is the rest.
        const wasFinal = isFinal(latest.current.status);
        try {
          await read();
          isOver = wasFinal;
        } catch (error) {
          if (!isTransient(error)) throw error;
        }
        while (!isOver && !signal.aborted) {
          await pause(readMs);
          if (document.visibilityState === 'visible') break;
        }
      }
      draw({ done: true });
    };
    follow().catch((error: unknown) => draw({ done: true, error: reasonOf(error) }));
    return () => {
      abort();
      if (timer !== null) clearTimeout(timer);
    };
  }, [live, id, attempt, stream]);
  return shown;
}

/** A signal whose reason is an error of ours. */
function abortion(): { readonly signal: AbortSignal; readonly abort: () => void } {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    abort: () => controller.abort(new OctasklyError('timeout', 'Nobody looks any more.')),
  };
}

export function Output({ live, task }: { live: Live; task: TaskView }) {
  const [stream, setStream] = useState<Stream>('stdout');
  const [following, setFollowing] = useState(true);
  const { blocks, bytes, isCut, done, error } = useOutput(live, task, stream);
  const box = useRef<HTMLElement>(null);
  const lastTop = useRef(0);
  useEffect(() => {
    if (following && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [blocks, following]);
  const scrolled = ({ currentTarget: { scrollTop, scrollHeight, clientHeight } }: { currentTarget: HTMLElement }) => {
    const isAtEnd = scrollHeight - scrollTop - clientHeight < 30;
    // More that is written takes the end away too, without anybody scrolling.
    if (isAtEnd) setFollowing(true);
    else if (scrollTop < lastTop.current) setFollowing(false);
    lastTop.current = scrollTop;
  };
  const state = done ? (isCut || task.discarded_bytes > 0 ? 'ended' : 'all of it') : following ? 'live' : 'paused';
  return (
    <section class="card output" aria-labelledby="output-title">
      <div class="bar">
        <h2 id="output-title">Output</h2>
        <fieldset class="switch">
          <legend class="hidden">Stream</legend>
          {(['stdout', 'stderr'] as const).map((name) => (
            <label key={name}>
              <input type="radio" name="stream" checked={stream === name} onChange={() => setStream(name)} />
              {name}
            </label>
          ))}
        </fieldset>
        <button type="button" class="small" aria-pressed={following} onClick={() => setFollowing(!following)}>
          {following ? 'Pause' : 'Follow'}
        </button>
        <span class="note">{isFinal(task.status) && !done ? 'reading the rest …' : state}</span>
      </div>
      <Failure text={error} />
      {isCut && (
        <p class="note">
          The end of {bytesText(bytes)}. The whole: <code>octaskly logs {task.id}</code>
        </p>
      )}
      {task.discarded_bytes > 0 && (
        <p class="note discarded">
          {countText(task.discarded_bytes)} bytes beyond the limit of {bytesText(task.max_output)} for each stream were
          discarded.
        </p>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard */}
      <section class="terminal" ref={box} tabIndex={0} aria-label={`${stream} of the task`} onScroll={scrolled}>
        {blocks.length === 0 && <span class="note">{done ? nothingText(task, stream) : 'Nothing yet.'}</span>}
        {blocks.map((block) => (
          <Lines key={block.id} block={block} />
        ))}
      </section>
    </section>
  );
}

/** What stands where nothing was written; the other stream may have all there is. */
function nothingText(task: TaskView, stream: Stream): string {
  const other = stream === 'stdout' ? 'stderr' : 'stdout';
  const bytes = task[`${other}_bytes`];
  return bytes === 0 ? 'It wrote nothing.' : `It wrote nothing here; ${bytesText(bytes)} are in ${other}.`;
}

/** Height of a line that is not broken, as in the sheet of styles. */
const linePx = 18.75;

/** A block is drawn once, and laid out when it comes into sight. */
function Lines({ block }: { block: Block }) {
  return useMemo(
    () => (
      <div class="lines" style={{ containIntrinsicSize: `auto ${block.lines.length * linePx}px` }}>
        {block.lines.flatMap(piecesOf).reduce(withPiece, [])}
      </div>
    ),
    [block],
  );
}

type Piece = string | JSX.Element;

function piecesOf({ spans, cut }: Line): Piece[] {
  const pieces = spans.map(({ text, look, color }) =>
    look === '' && color === '' ? (
      text
    ) : (
      <span class={look} style={color === '' ? undefined : { color }}>
        {text}
      </span>
    ),
  );
  return [...pieces, ...(cut > 0 ? [<span class="note"> … {countText(cut)} more</span>] : []), '\n'];
}

/** Plain text that follows plain text is one node: thousands of lines cost the browser little then. */
function withPiece(pieces: Piece[], piece: Piece): Piece[] {
  const last = pieces.at(-1);
  if (typeof last === 'string' && typeof piece === 'string') pieces[pieces.length - 1] = last + piece;
  else pieces.push(piece);
  return pieces;
}
