/**
 * The `TaskFiles` port in memory, over `MemoryBlobs`, and a `Sandbox` that keeps nothing apart: for tests and the
 * simulation. Files of an area are a map by path; a test writes what its commands would.
 */

import { OctasklyError } from '../src/base/errors.ts';
import type { TaskFile } from '../src/core/files.ts';
import type { BlobCache, CollectedFiles, TaskArea, TaskFiles } from '../src/ports/files.ts';
import type { Sandbox } from '../src/worker/sandbox.ts';
import { blobOf, type MemoryBlobs } from './memory-blobs.ts';
import { unconfined } from './unconfined.ts';

/** Files of areas by directory and path. */
export class MemoryFiles implements TaskFiles {
  readonly areas = new Map<string, Map<string, Uint8Array>>();
  readonly #blobs: MemoryBlobs & BlobCache;

  constructor(blobs: MemoryBlobs) {
    this.#blobs = blobs;
  }

  /** The files of an area. */
  of(directory: string): Map<string, Uint8Array> {
    const files = this.areas.get(directory) ?? new Map<string, Uint8Array>();
    this.areas.set(directory, files);
    return files;
  }

  async place(files: readonly TaskFile[], area: TaskArea): Promise<void> {
    for (const { path, blob } of files) {
      const bytes = this.#blobs.blobs.get(blob);
      if (bytes === undefined) throw new OctasklyError('io', `Cannot place "${path}": its blob is not here.`);
      if (blobOf(bytes) !== blob) {
        this.#blobs.lose(blob);
        throw new OctasklyError('io', `Cannot place "${path}": its blob is damaged.`);
      }
      this.of(area.directory).set(path, bytes);
    }
  }

  async collect(patterns: readonly string[], area: TaskArea, bytesMax: number): Promise<CollectedFiles> {
    const files: TaskFile[] = [];
    const problems: string[] = [];
    let left = bytesMax;
    for (const [path, bytes] of this.of(area.directory)) {
      if (!patterns.some((pattern) => new Bun.Glob(pattern).match(path))) continue;
      left -= bytes.length;
      if (left < 0) {
        problems.push(`"${path}" is left behind: outputs may have ${bytesMax} bytes.`);
        continue;
      }
      const blob = this.#blobs.add(bytes);
      this.#blobs.hold(blob);
      files.push({ path, blob, bytes: bytes.length, executable: false });
    }
    return { files, problems };
  }
}

/** Runs everything at `basic`, with nothing around it and as good as no environment. */
export function plainSandbox(): Sandbox {
  return {
    prepare: ({ level }) => {
      if (level !== null && level !== 'basic') throw new OctasklyError('refused', `There is no level ${level} here.`);
      return { level: 'basic', area: { isolated: false, user: null } };
    },
    plan: (assignment, { area, marker, workerName }) => {
      const { spec } = assignment;
      const { directory } = area;
      return {
        ...unconfined,
        argv: spec.argv ?? ['/bin/sh', '-c', spec.command ?? ''],
        env: {
          OCTASKLY_TASK_ID: assignment.taskId,
          OCTASKLY_ATTEMPT: String(assignment.attempt),
          OCTASKLY_WORKER: workerName,
          ...spec.env,
        },
        cwd: directory,
        stdin: spec.stdin,
        marker,
        directories: [directory],
      };
    },
  };
}
