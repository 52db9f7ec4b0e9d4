/**
 * The content of inputs to the dispatcher: only what it lacks, the same content once, several files at a time, each
 * from where an earlier upload stopped. A connection that breaks is waited out and gone on with; after several tries in
 * a row without a byte of progress it is an error.
 */

import { OctasklyError, reasonOf } from '../base/errors.ts';
import { Backoff, sleep } from '../client/backoff.ts';
import { isTransient } from '../client/http.ts';
import type { CommandContext } from './context.ts';
import type { InputFile } from './inputs.ts';
import { persisting, retryDelays, triesMax } from './persisting.ts';
import { type Progress, withProgress } from './progress.ts';
import { eachOf } from './several.ts';

/** Up to this size a file goes in one piece, which the client sends again by itself. */
const pieceBytesMax = 256 * 1024;
/** For each of these the dispatcher waits for its disk; many can wait together. */
const piecesAtOnce = 24;
const streamsAtOnce = 4;
/** A dispatcher that takes no byte for this long is taken for gone. */
const stallMs = 60_000;
/** How long somebody else's upload of the same content may bring nothing before it is no reason to wait. */
const otherMs = 60_000;

interface Missing {
  readonly file: InputFile;
  /** Bytes the dispatcher has; below the file's size unless that is 0. */
  readonly received: number;
}

/** Where an upload goes on. All bytes but no blob: the end was being hashed, and comes twice. */
function placeAfter(received: number, { bytes }: InputFile): number {
  return Math.min(received, Math.max(0, bytes - 1));
}

/** Uploads for one command; remembers what the dispatcher holds. */
export class Uploader {
  private readonly context: CommandContext;
  private readonly present = new Set<string>();

  constructor(context: CommandContext) {
    this.context = context;
  }

  /**
   * Resolves when the dispatcher holds the content of all `inputs`; `shown`: says how far it is. Throws what the client throws, `io` naming a file
   * that changed or cannot be read, the signal's reason.
   */
  async upload(
    inputs: readonly InputFile[],
    { shown, signal }: { readonly shown: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<void> {
    const wanted = new Map(inputs.filter(({ blob }) => !this.present.has(blob)).map((file) => [file.blob, file]));
    if (wanted.size === 0) return;
    const { client, terminal } = this.context;
    const answer = await persisting(signal, () => client.missingBlobs([...wanted.keys()], { signal }));
    const missing = answer.flatMap(({ blob, received }): Missing[] => {
      const file = wanted.get(blob);
      return file === undefined ? [] : [{ file, received: placeAfter(received, file) }];
    });
    const sum = (count: (each: Missing) => number): number => missing.reduce((bytes, each) => bytes + count(each), 0);
    const facts = {
      ...{ verb: 'Sending', shown },
      total: sum(({ file }) => file.bytes),
      already: sum(({ received }) => received),
    };
    // The first file that fails ends the others, which may have long to go.
    const failed = new AbortController();
    const either = signal === undefined ? failed.signal : AbortSignal.any([failed.signal, signal]);
    const sendOne = (each: Missing, progress: Progress): Promise<void> =>
      this.send(each, progress, either).catch((error: unknown) => {
        failed.abort(error);
        throw error;
      });
    const isPiece = ({ file }: Missing): boolean => file.bytes <= pieceBytesMax;
    const streams = missing.filter((each) => !isPiece(each));
    await withProgress(terminal, facts, (progress) =>
      Promise.all([
        eachOf(missing.filter(isPiece), (each) => sendOne(each, progress), piecesAtOnce),
        eachOf(streams, (each) => sendOne(each, progress), streamsAtOnce),
      ]),
    );
    for (const blob of wanted.keys()) this.present.add(blob);
  }

  private async send(missing: Missing, progress: Progress, signal: AbortSignal): Promise<void> {
    const { file } = missing;
    try {
      await (file.bytes <= pieceBytesMax
        ? this.sendPiece(missing, progress, signal)
        : this.sendStream(missing, progress, signal));
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (isMismatch(error)) {
        const why = 'it changed while it was read. Try again once it is complete.';
        throw new OctasklyError('io', `Cannot upload ${file.source}: ${why}`, { cause: error });
      }
      if (!(error instanceof OctasklyError) || isNamed(error, file)) throw error;
      throw new OctasklyError(error.code, `Cannot upload ${file.source}: ${error.message}`, { cause: error });
    }
  }

  private async sendPiece({ file, received }: Missing, progress: Progress, signal: AbortSignal): Promise<void> {
    const { client, files } = this.context;
    const { blob, bytes: total, source } = file;
    const piece = await bytesOf(files.read(source, { from: 0, to: total }), total);
    const put = () => client.putBlob(blob, piece, { from: 0, total, signal });
    await put().catch((error: unknown) => {
      // What came in before may be of a time when the file was different; it was dropped for that.
      if (!isMismatch(error) || received === 0) throw error;
      return put();
    });
    progress.moved(total - received);
  }

  /**
   * Somebody else is sending the same content: waits while that goes on. Gives how much of it is there, once it is
   * whole or nothing more came between two looks.
   */
  private async awaitOther(upload: StreamUpload, backoff: Backoff, signal: AbortSignal): Promise<number> {
    const { file, from } = upload;
    for (let before = -1, place = from; ; ) {
      if (place === file.bytes || place === before) return place;
      before = place;
      await sleep(backoff.next(), signal);
      place = await this.placeOf(file, place, signal);
      upload.goBackTo(place);
    }
  }

  private async sendStream({ file, received }: Missing, progress: Progress, signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(retryDelays);
    const { terminal } = this.context;
    let from = received;
    let movedAt = terminal.now();
    for (let tries = 1; ; tries++) {
      const upload = new StreamUpload(file, from, progress);
      try {
        await upload.send(this.context, signal);
        return;
      } catch (error) {
        const isOther = error instanceof OctasklyError && error.code === 'conflict';
        const isLast = isOther ? terminal.now() - movedAt >= otherMs : tries >= triesMax;
        const passing = isOther || isTransient(error);
        if (isOther && isLast) {
          const why = `for ${otherMs / 1000} s another upload of the same content brought nothing; last answer`;
          throw new OctasklyError('conflict', `${why}: ${error.message}`, { cause: error });
        }
        if (signal.aborted || isLast || !(passing || (isMismatch(error) && from > 0))) throw error;
        if (passing && !isOther) {
          progress.lost(reasonOf(error));
          await sleep(backoff.next(), signal);
        }
        const place = await (isOther ? this.awaitOther(upload, backoff, signal) : this.placeOf(file, from, signal));
        if (isMismatch(error) && place >= from) throw error;
        upload.goBackTo(place);
        if (place > from) {
          tries = 0;
          movedAt = terminal.now();
          backoff.reset();
        }
        from = place;
        if (place === file.bytes) return;
      }
    }
  }

  /** How much the dispatcher has; while it does not answer, `before` is as good as anything. */
  private async placeOf(file: InputFile, before: number, signal: AbortSignal): Promise<number> {
    try {
      const [missing] = await this.context.client.missingBlobs([file.blob], { signal });
      return missing === undefined ? file.bytes : placeAfter(missing.received, file);
    } catch (error) {
      if (!isTransient(error)) throw error;
      return before;
    }
  }
}

/** One try to send the rest of a large file as one stream. */
class StreamUpload {
  readonly file: InputFile;
  /** Position of the first byte of this try. */
  readonly from: number;
  private readonly progress: Progress;
  /** The next byte to be taken. */
  private at: number;
  private readError: unknown = null;

  constructor(file: InputFile, from: number, progress: Progress) {
    this.file = file;
    this.from = from;
    this.at = from;
    this.progress = progress;
  }

  /** Throws what the client throws, and why the file could not be read. */
  async send({ client, files }: CommandContext, signal: AbortSignal): Promise<void> {
    const { blob, bytes: total, source } = this.file;
    const stop = new AbortController();
    const over = new AbortController();
    const either = AbortSignal.any([stop.signal, signal]);
    const body = this.counted(files.read(source, { from: this.from, to: total }));
    const watching = this.watch(stop, over.signal);
    try {
      await client.putBlob(blob, body, { from: this.from, total, signal: either });
    } catch (error) {
      // Why a stream failed is lost on its way through `fetch`.
      throw this.readError ?? error;
    } finally {
      over.abort();
      await watching;
    }
  }

  /** What was taken beyond `place` did not arrive. */
  goBackTo(place: number): void {
    this.progress.moved(place - this.at);
    this.at = place;
  }

  private counted(stream: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const reader = stream.getReader();
    let isCancelled = false;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const { done, value } = await reader.read().catch((error: unknown) => {
            this.readError = error;
            throw error;
          });
          // An answer that came before the end, such as a refusal, cancels the body also while a read is under way.
          if (isCancelled) return;
          if (done) return controller.close();
          this.at += value.length;
          this.progress.moved(value.length);
          controller.enqueue(value);
        },
        cancel: (reason) => {
          isCancelled = true;
          return reader.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** Aborts `stop` when nothing is taken any more. What takes long after the last byte is hashing. */
  private async watch(stop: AbortController, over: AbortSignal): Promise<void> {
    for (let before = -1; before !== this.at; ) {
      before = this.at;
      await sleep(stallMs, over).catch(() => {});
      if (over.aborted || this.at === this.file.bytes) return;
    }
    stop.abort(new OctasklyError('timeout', `The dispatcher took no byte for ${stallMs / 1000} s.`));
  }
}

/** The dispatcher says that the bytes have another hash. */
function isMismatch(error: unknown): boolean {
  return error instanceof OctasklyError && error.code === 'invalid';
}

/** The reason names the file already: it is about reading it. */
function isNamed({ message }: OctasklyError, { source }: InputFile): boolean {
  return ['upload', 'read'].some((verb) => message.startsWith(`Cannot ${verb} ${source}: `));
}

async function bytesOf(stream: ReadableStream<Uint8Array>, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for await (const chunk of stream) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
