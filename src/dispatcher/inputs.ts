/**
 * The inputs a submission names: which of their blobs are here for good, and the files that the tasks get. A blob must be
 * on disk before a task that names it is, and still be here in the turn that stores the task.
 */

import type { NewInput, Submission } from '../api/backend.ts';
import type { FieldError } from '../base/errors.ts';
import type { TaskFile } from '../core/files.ts';
import type { BlobStore } from '../ports/files.ts';

/** Missing blobs that one refusal names. */
const refusedMax = 100;

/**
 * Resolves with those blobs of the submission that are synced, unless they are deleted later; null when it names none.
 * What comes in during the sync is not sure to be, and left out. One whose size is not what the caller believes may be
 * damaged here: its hash is taken anew, and it is dropped, so that it can be uploaded again. Error: `storage_unavailable`.
 */
export function durableBlobs(submission: Submission, blobs: BlobStore): Promise<ReadonlySet<string>> | null {
  if (submission.tasks.every(({ inputs }) => inputs.length === 0)) return null;
  const named = new Set(submission.tasks.flatMap(({ inputs }) => inputs.map(({ blob }) => blob)));
  const here = new Set([...named].filter((blob) => blobs.size(blob) !== null));
  const suspects = doubted(submission, blobs);
  if (suspects.size === 0) return blobs.sync().then(() => here);
  return verified(suspects, blobs)
    .then(() => blobs.sync())
    .then(() => here);
}

async function verified(suspects: ReadonlySet<string>, blobs: BlobStore): Promise<void> {
  // One after the other: each may be large.
  for (const blob of suspects) await blobs.verify(blob);
}

/** Blobs that are here with another size than the submission says. */
function doubted(submission: Submission, blobs: BlobStore): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { inputs } of submission.tasks) {
    for (const { blob, bytes } of inputs) {
      if (bytes === null || found.has(blob)) continue;
      const size = blobs.size(blob);
      if (size !== null && size !== bytes) found.add(blob);
    }
  }
  return found;
}

/**
 * The inputs of every task with the sizes of their blobs, and what is wrong with some: their blob is not here, or not of
 * the size the caller believes. `pathOf` gives the place of an input in the request.
 */
export function filesOf(
  submission: Submission,
  blobSize: (blob: string) => number | null,
  pathOf: (task: number, input: number) => string,
): { readonly inputs: readonly (readonly TaskFile[])[]; readonly wrong: readonly FieldError[] } {
  const sizes = new Map<string, number | null>();
  const wrong: FieldError[] = [];
  const fileOf = ({ path, blob, bytes: believed, executable }: NewInput, where: () => string): TaskFile => {
    const known = sizes.get(blob);
    const bytes = known === undefined ? blobSize(blob) : known;
    sizes.set(blob, bytes);
    const isWrong = bytes === null || (believed !== null && believed !== bytes);
    if (isWrong && wrong.length < refusedMax) wrong.push(refusal({ path, blob }, bytes, where()));
    return { path, blob, bytes: bytes ?? 0, executable };
  };
  const inputs = submission.tasks.map((task, index) =>
    task.inputs.map((input, place) => fileOf(input, () => pathOf(index, place))),
  );
  return { inputs, wrong };
}

function refusal(file: { readonly path: string; readonly blob: string }, bytes: number | null, at: string): FieldError {
  if (bytes !== null) return { path: `${at}.bytes`, message: `the content of "${file.path}" has ${bytes} bytes` };
  const cure = `upload it with PUT /api/v1/blobs/${file.blob}, then submit again`;
  return { path: `${at}.blob`, message: `the content of "${file.path}" is not here: ${cure}` };
}
