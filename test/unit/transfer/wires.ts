/** A fetcher and a server with a link in between that a test can look into, cut and congest. */

import { Fetcher } from '../../../src/transfer/fetching.ts';
import { BlobServer } from '../../../src/transfer/serving.ts';
import type { BlobMessage } from '../../../src/wire/messages.ts';
import { MemoryBlobs } from '../../memory-blobs.ts';
import { ManualClock } from '../manual-clock.ts';

export class Line {
  blobsCongested = false;
  closed: string | null = null;
  sent: BlobMessage[] = [];

  send(message: BlobMessage): void {
    this.sent.push(message);
  }

  close(detail: string): void {
    this.closed ??= detail;
  }

  take(): BlobMessage[] {
    return this.sent.splice(0);
  }
}

/** `count` bytes that follow from `seed`. */
export function content(count: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let i = 0; i < count; i++) bytes[i] = (i * 31 + (i >> 8) + seed) & 0xff;
  return bytes;
}

export class Wires {
  readonly clock = new ManualClock();
  readonly there = new MemoryBlobs();
  readonly here = new MemoryBlobs();
  readonly fetcher = new Fetcher({ clock: this.clock, store: this.here, peer: 'the other' });
  up = new Line();
  down = new Line();
  server = new BlobServer({ clock: this.clock, store: this.there, link: this.down });

  constructor() {
    this.fetcher.attach(this.up);
  }

  /** A new link; what was on its way on the old one is gone. */
  reconnect(): void {
    this.fetcher.detach();
    this.up = new Line();
    this.down = new Line();
    this.server = new BlobServer({ clock: this.clock, store: this.there, link: this.down });
    this.fetcher.attach(this.up);
  }

  /** Lets promises and what was put off run. */
  async rest(): Promise<void> {
    for (let n = 0; n < 3; n++) {
      for (let m = 0; m < 20; m++) await Promise.resolve();
      this.clock.settle();
    }
  }

  /** Carries what was said, until nobody says anything any more; `twice`: each message arrives two times. */
  async carry({ twice = false } = {}): Promise<void> {
    for (let n = 0; n < 1000; n++) {
      await this.rest();
      const [asked, given] = [this.up.take(), this.down.take()];
      if (asked.length + given.length === 0) return;
      for (const message of [...asked, ...given].flatMap((each) => (twice ? [each, each] : [each]))) {
        if (message.kind === 'blobWanted') this.server.take(message);
        else this.fetcher.take(message);
      }
    }
    throw new Error('a transfer never comes to an end');
  }
}
