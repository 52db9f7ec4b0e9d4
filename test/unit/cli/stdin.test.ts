import { expect, test } from 'bun:test';
import { OctasklyError } from '../../../src/base/errors.ts';
import type { CommandContext } from '../../../src/cli/context.ts';
import { feedStdin } from '../../../src/cli/stdin.ts';

type Around = Pick<CommandContext, 'client' | 'terminal'>;

/** A task that takes what it is fed, and a standard input made of `chunks`. */
function around(chunks: (signal?: AbortSignal) => AsyncIterable<Uint8Array>, take: (piece: string) => void): Around {
  const writeStdin = async (_id: string, piece: { offset: number; data: Uint8Array; eof: boolean }) =>
    take(`${piece.offset}+${piece.data.length}${piece.eof ? ' end' : ''}`);
  return { client: { writeStdin }, terminal: { stdin: { chunks } } } as unknown as Around;
}

test('feedStdin() says with empty pieces that it is there while nothing comes, then passes on and ends', async () => {
  const pieces: string[] = [];
  const quiet = Promise.withResolvers<void>();
  const input = async function* () {
    await quiet.promise;
    yield new Uint8Array(3);
  };
  const take = (piece: string): void => {
    pieces.push(piece);
    if (pieces.length === 2) quiet.resolve();
  };
  await feedStdin(around(input, take), 't', new AbortController().signal, 1);
  expect(pieces.slice(0, 2)).toEqual(['0+0', '0+0']);
  expect(pieces.slice(2).filter((piece) => piece !== '0+0' && piece !== '3+0')).toEqual(['0+3', '3+0 end']);
});

test('feedStdin() cuts what is too long for one piece', async () => {
  const pieces: string[] = [];
  const input = async function* () {
    yield new Uint8Array(65_536 + 1);
  };
  await feedStdin(
    around(input, (piece) => pieces.push(piece)),
    't',
    new AbortController().signal,
  );
  expect(pieces).toEqual(['0+65536', '65536+1', '65537+0 end']);
});

test('feedStdin() ends quietly when the task takes no more, and fails when the input cannot be read', async () => {
  const { signal } = new AbortController();
  const input = async function* () {
    yield new Uint8Array(1);
  };
  const refuse = (): void => {
    throw new OctasklyError('conflict', 'It reads no more input.');
  };
  await feedStdin(around(input, refuse), 't', signal);
  const broken = async function* (): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(1);
    throw new OctasklyError('io', 'It cannot be read.');
  };
  await expect(
    feedStdin(
      around(broken, () => undefined),
      't',
      signal,
    ),
  ).rejects.toMatchObject({ code: 'io' });
});
