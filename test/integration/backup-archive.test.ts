/** The archive of a backup: what goes in comes out, and what is not as it was written is refused. */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { packTar } from 'modern-tar';
import { type Manifest, readArchive, type Source, writeArchive } from '../../src/runtime/backup-archive.ts';

const facts = { program: '1.2.3', createdAt: '2026-06-01T12:00:00.000Z', schema: 6 };
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-archive-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function source(name: string, content: string | Uint8Array): Source {
  const file = join(directory, 'from', name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  return { name, file };
}

function blobName(content: string | Uint8Array): string {
  const hex = createHash('sha256').update(content).digest('hex');
  return `blobs/${hex.slice(0, 2)}/${hex.slice(2)}`;
}

const noise = crypto.getRandomValues(new Uint8Array(40_000));

async function write(extra: readonly Source[] = []): Promise<{ file: string; moved: number; manifest: Manifest }> {
  const file = join(directory, 'backup.tar');
  const sources = [source('octaskly.db', noise), source('secret', 's\n'), source(blobName('hello'), 'hello'), ...extra];
  let moved = 0;
  const manifest = await writeArchive(file, sources, {
    facts,
    moved: (bytes) => {
      moved += bytes;
    },
  });
  return { file, moved, manifest };
}

let unpackings = 0;
async function read(file: string): Promise<Manifest> {
  unpackings += 1;
  const folder = join(directory, `to-${unpackings}`);
  mkdirSync(folder);
  const fd = openSync(file, 'r');
  try {
    return await readArchive({ file, fd }, folder, () => undefined);
  } finally {
    closeSync(fd);
  }
}

async function refusal(content: Uint8Array): Promise<string> {
  const file = join(directory, 'changed.tar');
  writeFileSync(file, content);
  const error = await read(file).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: 'invalid' });
  return String(error);
}

describe('writeArchive()', () => {
  test('writes a private tar file that readArchive() unpacks as it was', async () => {
    const { file, moved, manifest } = await write();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(moved).toBe(noise.length + 'hello'.length + 's\n'.length);
    expect(await read(file)).toEqual(manifest);
    const folder = join(directory, `to-${unpackings}`);
    expect(readFileSync(join(folder, 'octaskly.db'))).toEqual(Buffer.from(noise));
    expect(readFileSync(join(folder, blobName('hello')), 'utf8')).toBe('hello');
    expect(statSync(join(folder, 'secret')).mode & 0o777).toBe(0o600);
  });

  test('notes blobs that are missing or damaged; the damaged are not restored', async () => {
    const [gone, bad] = [blobName('gone'), blobName('as it was')];
    const extra = [{ name: gone, file: join(directory, 'nowhere') }, source(bad, 'as it is not')];
    const { file, manifest } = await write(extra);
    expect(manifest).toMatchObject({ blobs: 2, missing: [gone], damaged: [bad] });
    await read(file);
    expect(existsSync(join(directory, `to-${unpackings}`, bad))).toBe(false);
  });

  test('leaves nothing when a file that has to be there is not', async () => {
    await expect(write([{ name: 'node.key', file: join(directory, 'nowhere') }])).rejects.toMatchObject({ code: 'io' });
    expect(readdirSync(directory)).toEqual(['from']);
  });
});

describe('readArchive()', () => {
  test('refuses an archive cut off anywhere', async () => {
    const whole = readFileSync((await write()).file);
    for (const length of [0, 1, 511, 512, 600, 20_000, 41_000, 43_000, whole.length - 1500]) {
      expect(await refusal(whole.subarray(0, length))).toContain('Nothing was changed');
    }
  });

  test('refuses an archive in which a bit is another, wherever it is of matter', async () => {
    const whole = readFileSync((await write()).file);
    // Names and contents of the database, the secret and the blob.
    for (const at of [0, 700, 512 + noise.length - 1, 41_472, 42_496]) {
      const changed = Uint8Array.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 0x40;
      expect(await refusal(changed)).toContain('Nothing was changed');
    }
  });

  test.each([
    ['a path that leads out', { name: '../evil', size: 1, mode: 0o600 }],
    ['an absolute path', { name: '/etc/evil', size: 1 }],
    ['a name that is none of ours', { name: 'authorized_keys', size: 1 }],
    ['a link', { name: 'secret', size: 0, type: 'symlink', linkname: '/etc/passwd' }],
  ] as const)('refuses %s', async (_what, header) => {
    const body = header.size === 1 ? { body: 'x' } : {};
    expect(await refusal(await packTar([{ header: { ...header }, ...body }]))).toContain('not a whole backup');
    expect(readdirSync(join(directory, `to-${unpackings}`))).toEqual([]);
  });

  test('refuses a list of another form, or of a newer one', async () => {
    const packed = (list: string) => packTar([{ header: { name: 'manifest.json', size: list.length }, body: list }]);
    expect(await refusal(await packed('no JSON'))).toContain('its list cannot be read');
    expect(await refusal(await packed('{"form":"x","version":1}'))).toContain('it is something else');
    expect(await refusal(await packed('{"form":"octaskly backup","version":2}'))).toContain('newer Octaskly');
    expect(await refusal(await packed('{"form":"octaskly backup","version":1,"files":[null]}'))).toContain(
      'cannot be read',
    );
  });

  test('refuses what is no archive at all', async () => {
    expect(await refusal(noise)).toContain('not a whole backup');
  });
});

test('others have their turn while a large file moves: who looks, and a signal', async () => {
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, 1);
  /** Turns from the first to the last of its many pieces. */
  const counted = async (work: (moved: () => void) => Promise<unknown>): Promise<number> => {
    const seen: number[] = [];
    await work(() => seen.push(turns));
    return (seen.at(-1) ?? 0) - (seen[0] ?? 0);
  };
  try {
    const file = join(directory, 'large.tar');
    const sources = [source('octaskly.db', new Uint8Array(96 * 2 ** 20))];
    expect(await counted((moved) => writeArchive(file, sources, { facts, moved }))).toBeGreaterThan(5);
    const folder = join(directory, 'large');
    mkdirSync(folder);
    expect(await counted((moved) => readArchive({ file, fd: openSync(file, 'r') }, folder, moved))).toBeGreaterThan(5);
  } finally {
    clearInterval(timer);
  }
});

test('readArchive() says what something is that people take for a backup', async () => {
  const { file } = await write();
  expect(await refusal(Bun.gzipSync(readFileSync(file)))).toContain('it is compressed');
  expect(await refusal(new TextEncoder().encode('SQLite format 3\0'.padEnd(4096)))).toContain('a database alone');
});
