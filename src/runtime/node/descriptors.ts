/**
 * `Bun.file` of a descriptor for Node: a pipe or a terminal as a stream of the web, and as a sink. Ours is another
 * descriptor of the same pipe, so that whoever made the first one closes it whenever he likes.
 */

import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { Readable, type Writable } from 'node:stream';

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;

/** What is written to; as much of Bun's `FileSink` as is used. */
export interface Sink {
  /** Resolves when the system took all of it; rejects when the other side takes no more. */
  write(data: Uint8Array | string): Promise<number>;
  flush(): number;
  /** Ends it after what was written. */
  end(): Promise<number>;
}

/** A stream of Node as a sink. */
export function sinkOf(stream: Writable): Sink {
  // Whoever writes hears of it by that write.
  stream.on('error', () => undefined);
  const write = (data: Uint8Array | string): Promise<number> => {
    const written = new Promise<number>((resolve, reject) => {
      stream.write(data, (error) => (error ? reject(error) : resolve(data.length)));
    });
    // A word to a process that is gone, which nobody waits for.
    written.catch(() => undefined);
    return written;
  };
  return {
    write,
    flush: () => 0,
    end: () =>
      new Promise((resolve) => {
        if (stream.destroyed) resolve(0);
        stream.once('close', () => resolve(0));
        stream.end();
      }),
  };
}

/** A stream of Node as one of the web, which reads no further ahead than that. Its two types name one thing. */
export function webStreamOf(stream: Readable): ReadableStream<Uint8Array> {
  return Readable.toWeb(stream) as unknown as ReadableStream<Uint8Array>;
}

/** The pipe behind a descriptor, from which bytes are read or to which they are written. Does not block. */
export function file(descriptor: number) {
  const open = (flags: number): number => openSync(`/proc/self/fd/${descriptor}`, flags | O_NONBLOCK);
  return {
    stream: (): ReadableStream<Uint8Array> => {
      return webStreamOf(new Socket({ fd: open(O_RDONLY), readable: true, writable: false }));
    },
    writer: (): Sink => sinkOf(new Socket({ fd: open(O_WRONLY), readable: false, writable: true })),
  };
}
