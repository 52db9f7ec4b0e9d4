/** Puts a text before each line of a stream of bytes, wherever the chunks are cut. */

const lineFeed = 10;

export class LinePrefix {
  private readonly prefix: Uint8Array;
  private atStart = true;

  constructor(prefix: string) {
    this.prefix = new TextEncoder().encode(prefix);
  }

  /** `chunk` with the prefix at each beginning of a line. */
  push(chunk: Uint8Array): Uint8Array {
    const parts: Uint8Array[] = [];
    for (let start = 0; start < chunk.length; ) {
      const end = chunk.indexOf(lineFeed, start);
      const stop = end < 0 ? chunk.length : end + 1;
      if (this.atStart) parts.push(this.prefix);
      parts.push(chunk.subarray(start, stop));
      this.atStart = end >= 0;
      start = stop;
    }
    const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  }
}
