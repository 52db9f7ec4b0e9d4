import { expect, test } from 'bun:test';
import { typingOf } from '../../../src/cli/typing.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array | undefined): string => new TextDecoder().decode(data);

/** A keyboard whose keys come when told. */
function keyboard() {
  const typed: Uint8Array[] = [];
  let more = Promise.withResolvers<void>();
  let isOver = false;
  async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const next = typed.shift();
      if (next !== undefined) yield next;
      else if (isOver) return;
      else await more.promise;
    }
  }
  const tell = (): void => {
    more.resolve();
    more = Promise.withResolvers();
  };
  return {
    source: { isTTY: true, isEmpty: false, chunks },
    type: (keys: string) => {
      typed.push(bytes(keys));
      tell();
    },
    end: () => {
      isOver = true;
      tell();
    },
  };
}

test('typingOf() hears the way out while nobody takes keys, and hands on together what was typed meanwhile', async () => {
  const { source, type, end } = keyboard();
  const left = Promise.withResolvers<void>();
  const keys = typingOf(source, () => left.resolve())
    .chunks()
    [Symbol.asyncIterator]();
  type('a');
  expect(text((await keys.next()).value ?? undefined)).toBe('a');
  for (const key of ['l', 's', '\r', '~', '.']) type(key);
  await left.promise;
  expect(text((await keys.next()).value ?? undefined)).toBe('ls\r');
  end();
  expect((await keys.next()).done).toBe(true);
});
