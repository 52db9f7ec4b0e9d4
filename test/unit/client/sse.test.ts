import { describe, expect, test } from 'bun:test';
import { eventLengthMax, type SseEvent, SseParser } from '../../../src/client/sse.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function parse(chunks: readonly Uint8Array[], lastId = ''): SseEvent[] {
  const parser = new SseParser(lastId);
  return chunks.flatMap((chunk) => parser.push(chunk));
}

const stream =
  '\uFEFF: welcome\r\nretry: 250\r\n\r\nid: 1\nevent: task\ndata: {"a":"ä€😀"}\n\n' +
  'data\ndata\n\ndata:  two\r\rid\ndata:x\r\n\r\nunknown: y\nid: 9\n\nevent: lost\n\ndata: last\n\ndata: never ended';
const expected: SseEvent[] = [
  { name: 'task', data: '{"a":"ä€😀"}', id: '1' },
  { name: 'message', data: '\n', id: '1' },
  { name: 'message', data: ' two', id: '1' },
  { name: 'message', data: 'x', id: '' },
  { name: 'message', data: 'last', id: '9' },
];

describe('SseParser.push()', () => {
  test('reads fields, comments and all three line ends', () => {
    expect(parse([bytes(stream)])).toEqual(expected);
  });

  test('gives the same events for chunks of one byte', () => {
    expect(parse(Array.from(bytes(stream), (byte) => Uint8Array.of(byte)))).toEqual(expected);
  });

  test('gives the same events wherever the stream is cut in two', () => {
    const whole = bytes(stream);
    for (let at = 0; at <= whole.length; at++) {
      expect(parse([whole.subarray(0, at), whole.subarray(at)])).toEqual(expected);
    }
  });

  test('gives an event at its blank line, without waiting for the LF of a CRLF', () => {
    expect(parse([bytes('data: a\r\n\r')])).toEqual([{ name: 'message', data: 'a', id: '' }]);
  });

  test('continues from the id it was given, and ignores an id with NUL', () => {
    expect(parse([bytes('id: a\0b\ndata: x\n\n')], '7')).toEqual([{ name: 'message', data: 'x', id: '7' }]);
  });

  test('takes retry only as digits', () => {
    const parser = new SseParser();
    parser.push(bytes('retry: 250\n'));
    parser.push(bytes('retry: 1e3\n'));
    expect(parser.retryMs).toBe(250);
  });

  test('refuses an event without end', () => {
    const parser = new SseParser();
    const line = bytes(`data: ${'x'.repeat(100_000)}\n`);
    expect(() => {
      for (let sent = 0; sent <= eventLengthMax + 200_000; sent += 100_000) parser.push(line);
    }).toThrow('longer than');
  });
});
