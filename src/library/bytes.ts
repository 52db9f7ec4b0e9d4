/**
 * Bytes that come one after the other, read in the form that is wanted: as they come, whole, as text, by the line, or as a
 * `ReadableStream`. Nothing is asked for before reading begins; each reading begins at the first byte.
 *
 * Deliberately not here: files of a disk. `pipeTo` takes the writable stream that every runtime has for them.
 */

export interface ReadOptions {
  /** Ends the reading; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

type Open = (options: ReadOptions) => AsyncIterable<Uint8Array>;

/** Characters after which a line that does not end is given in pieces. */
const lineLengthMax = 1024 * 1024;

/** Iterating over it gives the pieces as they come. Reading fails with the `OctasklyError` of what went wrong. */
export class ByteStream implements AsyncIterable<Uint8Array> {
  readonly #open: Open;

  constructor(open: Open) {
    this.#open = open;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#open({})[Symbol.asyncIterator]();
  }

  /** As iterating over it, with a signal. */
  chunks(options: ReadOptions = {}): AsyncIterable<Uint8Array> {
    return this.#open(options);
  }

  /** All bytes; they have to fit into memory. */
  async bytes(options: ReadOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.#open(options)) chunks.push(chunk);
    return joined(chunks);
  }

  /** All of it as text; what is no UTF-8 becomes U+FFFD. */
  async text(options: ReadOptions = {}): Promise<string> {
    return new TextDecoder().decode(await this.bytes(options));
  }

  /** The lines without their ends; one of more than 1 Mi characters comes in pieces. */
  async *lines(options: ReadOptions = {}): AsyncGenerator<string, void, undefined> {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of this.#open(options)) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield line.replace(/\r$/, '');
      if (rest.length > lineLengthMax) {
        yield rest;
        rest = '';
      }
    }
    rest += decoder.decode();
    if (rest !== '') yield rest;
  }

  /** For whatever takes a web stream. It reads no faster than it is read. */
  readable({ signal }: ReadOptions = {}): ReadableStream<Uint8Array> {
    const stop = new AbortController();
    const signals = signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]);
    const chunks = this.#open({ signal: signals })[Symbol.asyncIterator]();
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { done, value } = await chunks.next();
          if (done === true) controller.close();
          else controller.enqueue(value);
        },
        cancel: () => stop.abort(),
      },
      { highWaterMark: 0 },
    );
  }

  /** Writes all of it and closes `writable`; resolves when that is done. */
  async pipeTo(writable: WritableStream<Uint8Array>, options: ReadOptions = {}): Promise<void> {
    await this.readable(options).pipeTo(writable);
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** The pieces of a web stream; leaving the loop early gives the stream up. */
export async function* piecesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader();
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) yield piece.value;
  } finally {
    await reader.cancel().catch(() => {});
  }
}
