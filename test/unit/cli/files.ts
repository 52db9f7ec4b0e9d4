/** Files in memory, and a dispatcher's blobs and outputs in memory, for tests of the command line. */

import { posix } from 'node:path';
import { OctasklyError } from '../../../src/base/errors.ts';
import type {
  ContentHash,
  IncomingFacts,
  IncomingFile,
  LocalFile,
  LocalFiles,
  OpenFile,
} from '../../../src/cli/files.ts';
import type { TaskFile } from '../../../src/core/files.ts';
import { problem, type Request } from './dispatcher.ts';

export const here = '/home/ada/work';

export function blobOf(data: Uint8Array | string): string {
  return `sha256:${new Bun.CryptoHasher('sha256').update(data).digest('hex')}`;
}

const utf8 = new TextEncoder();

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(utf8.encode(text));
}

/** Paths to contents; those in `executables` have the bit. Directories are what lies above files. */
export class MemoryFiles implements LocalFiles {
  readonly currentDirectory = here;
  readonly separator = '/';
  readonly contents: Map<string, string>;
  readonly executables = new Set<string>();
  /** Written below a directory: path to content. */
  readonly created = new Map<string, string>();
  /** What killed fetches left: blob to the first of its bytes. */
  readonly left = new Map<string, string>();
  /** Runs when a file is read for an upload. */
  onRead: (source: string) => void = () => {};
  hashes = 0;

  constructor(contents: Readonly<Record<string, string>>) {
    this.contents = new Map(Object.entries(contents));
  }

  async find(path: string): Promise<readonly LocalFile[]> {
    const full = posix.resolve(here, path);
    const found = [...this.contents].flatMap(([source, text]): LocalFile[] => {
      const below = source.startsWith(`${full}/`) ? source.slice(full.length + 1) : null;
      if (source !== full && below === null) return [];
      return [{ path: below ?? '', source, bytes: bytesOf(text).length, executable: this.executables.has(source) }];
    });
    if (found.length === 0) throw new OctasklyError('usage', `There is no file or directory ${path}.`);
    return found;
  }

  async hash({ source }: LocalFile, onRead: (bytes: number) => void) {
    const bytes = bytesOf(this.contents.get(source) ?? '');
    this.hashes += 1;
    onRead(bytes.length);
    return { blob: blobOf(bytes), bytes: bytes.length };
  }

  matches(glob: string, path: string): boolean {
    return new Bun.Glob(glob).match(path);
  }

  read(source: string, { from, to }: { from: number; to: number }): ReadableStream<Uint8Array> {
    this.onRead(source);
    const bytes = bytesOf(this.contents.get(source) ?? '').subarray(from, to);
    return new ReadableStream({
      start(controller) {
        if (bytes.length > 0) controller.enqueue(bytes);
        controller.close();
      },
    });
  }

  async create(directory: string, { path, executable, blob }: IncomingFacts): Promise<IncomingFile> {
    const left = this.left.get(blob) ?? '';
    this.left.delete(blob);
    const parts = [bytesOf(left)];
    const whole = (): string => Buffer.concat(parts).toString();
    return {
      received: bytesOf(left).length,
      write: async (data) => void parts.push(data.slice()),
      finish: async () => {
        const came = blobOf(Buffer.concat(parts));
        if (came === blob) this.created.set(`${directory}/${path}`, `${executable ? '*' : ''}${whole()}`);
        return came;
      },
      discard: async () => {},
    };
  }

  async open(path: string): Promise<OpenFile> {
    this.created.set(path, '');
    const write = async (data: Uint8Array): Promise<void> => {
      this.created.set(path, `${this.created.get(path)}${new TextDecoder().decode(data)}`);
    };
    return { write, close: async () => {} };
  }

  contentHash(): ContentHash {
    const hash = new Bun.CryptoHasher('sha256');
    return { update: (data) => void hash.update(data), finish: () => `sha256:${hash.digest('hex')}` };
  }
}

/** The routes of blobs and outputs of a fake dispatcher: its `intercept` passes requests here. */
export class MemoryBlobs {
  readonly blobs = new Map<string, Uint8Array>();
  /** What came in of blobs that are not whole. */
  readonly partial = new Map<string, Uint8Array>();
  readonly outputs: TaskFile[] = [];
  readonly problems: string[] = [];
  /** Name of the worker that keeps the outputs; null = nobody does. */
  keeper: string | null = null;
  /** Positions from which blobs were read, in order. */
  readonly downloads: number[] = [];
  /** Bodies of uploads, in order. */
  readonly uploads: { readonly blob: string; readonly range: string | null; readonly bytes: number }[] = [];

  addOutput(path: string, text: string, executable = false): void {
    const bytes = bytesOf(text);
    this.blobs.set(blobOf(bytes), bytes);
    this.outputs.push({ path, blob: blobOf(bytes), bytes: bytes.length, executable });
  }

  readonly answer = ({ method, path, headers, body }: Request): Response | null => {
    const parts = path.split('/').map(decodeURIComponent);
    if (path === '/api/v1/blobs/missing') {
      const { blobs } = JSON.parse(String(body)) as { blobs: string[] };
      const missing = blobs.filter((blob) => !this.blobs.has(blob));
      return Response.json({
        missing: missing.map((blob) => ({ blob, received: this.partial.get(blob)?.length ?? 0 })),
      });
    }
    if (method === 'PUT' && parts[3] === 'blobs') {
      return this.put(parts[4] ?? '', headers, body instanceof Uint8Array ? body : new Uint8Array(0));
    }
    if (parts[3] === 'blobs') {
      const content = this.blobs.get(parts[4] ?? '');
      if (content === undefined) return problem(404, 'not_found', 'There is no such blob.');
      const from = Number(/^bytes=(\d+)-$/.exec(headers.get('range') ?? '')?.[1] ?? 0);
      this.downloads.push(from);
      const range = { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` };
      const length = { 'content-length': String(content.length - from) };
      return new Response(new Uint8Array(content.subarray(from)), {
        ...(from === 0 ? { headers: length } : { status: 206, headers: { ...length, ...range } }),
      });
    }
    if (parts[3] !== 'tasks' || parts[5] !== 'outputs') return null;
    const outputs = this.outputs.map((file) => ({ ...file, at: this.keeper }));
    return Response.json({ outputs, problems: this.problems, next_cursor: null });
  };

  private put(blob: string, headers: Headers, body: Uint8Array): Response {
    const range = headers.get('content-range');
    const from = Number(/^bytes (\d+)-/.exec(range ?? '')?.[1] ?? 0);
    this.uploads.push({ blob, range, bytes: body.length });
    const whole = new Uint8Array(Buffer.concat([(this.partial.get(blob) ?? body).subarray(0, from), body]));
    this.partial.delete(blob);
    if (blobOf(whole) !== blob) return problem(422, 'invalid', 'The hash is wrong.');
    this.blobs.set(blob, whole);
    const state = { blob, bytes: whole.length, received: whole.length, stored: true };
    return Response.json(state, { status: 201 });
  }
}
