/**
 * Parser of server-sent events: bytes in, events out, chunk boundaries anywhere (also inside a character or a CRLF).
 * It knows nothing of connections; reconnecting is `events.ts`.
 * HTML Living Standard, section 9.2.6 "Interpreting an event stream".
 */

import { OctasklyError } from '../base/errors.ts';

/** One dispatched event. `id` is the last id seen, '' when there was none. */
export interface SseEvent {
  readonly name: string;
  readonly data: string;
  readonly id: string;
}

/** Most characters of one event; a longer one is not from our API. */
export const eventLengthMax = 1024 * 1024;

export class SseParser {
  private readonly decoder = new TextDecoder();
  private text = '';
  private skipLineFeed = false;
  private name = '';
  private data: string[] = [];
  private dataLength = 0;
  private idBuffer: string;
  /** Milliseconds the server asked to wait before reconnecting; null when it did not. */
  retryMs: number | null = null;

  /** `lastId`: the id the stream continues from. */
  constructor(lastId = '') {
    this.idBuffer = lastId;
  }

  /** Events completed by `chunk`. Throws `OctasklyError('too_large')` for an event past `eventLengthMax`. */
  push(chunk: Uint8Array): SseEvent[] {
    this.text += this.decoder.decode(chunk, { stream: true });
    const events: SseEvent[] = [];
    let start = 0;
    if (this.skipLineFeed && this.text.length > 0) {
      if (this.text.startsWith('\n')) start = 1;
      this.skipLineFeed = false;
    }
    for (let i = start; i < this.text.length; i++) {
      const char = this.text[i];
      if (char !== '\n' && char !== '\r') continue;
      const event = this.line(this.text.slice(start, i));
      if (event !== null) events.push(event);
      if (char === '\r') {
        // The LF of a CRLF may be in the next chunk; the line itself must not wait for it.
        if (i + 1 === this.text.length) this.skipLineFeed = true;
        else if (this.text[i + 1] === '\n') i += 1;
      }
      start = i + 1;
    }
    this.text = this.text.slice(start);
    if (this.text.length + this.dataLength > eventLengthMax) {
      throw new OctasklyError('too_large', `An event of the stream is longer than ${eventLengthMax} characters.`);
    }
    return events;
  }

  private line(line: string): SseEvent | null {
    if (line === '') return this.dispatch();
    if (line.startsWith(':')) return null;
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const raw = colon < 0 ? '' : line.slice(colon + 1);
    this.field(field, raw.startsWith(' ') ? raw.slice(1) : raw);
    return null;
  }

  private field(field: string, value: string): void {
    if (field === 'event') this.name = value;
    else if (field === 'data') {
      this.data.push(value);
      this.dataLength += value.length + 1;
    } else if (field === 'id' && !value.includes('\0')) this.idBuffer = value;
    else if (field === 'retry' && /^[0-9]{1,9}$/.test(value)) this.retryMs = Number(value);
  }

  private dispatch(): SseEvent | null {
    const { name, data } = this;
    this.name = '';
    this.data = [];
    this.dataLength = 0;
    if (data.length === 0) return null;
    return { name: name === '' ? 'message' : name, data: data.join('\n'), id: this.idBuffer };
  }
}
