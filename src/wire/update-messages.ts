/** What is said of updates, as rows: order of the fields and check of what arrived, side by side. Since protocol 6. */

import { manifestBytesMax } from '../core/release-manifest.ts';
import {
  type DeclaredProgram,
  type UpdateOrder,
  type UpdateReport,
  updateSteps,
  versionPattern,
} from '../core/update.ts';
import { packBlob, readBlob } from './blob-messages.ts';
import { amount, bool, count, fieldLimits, nullOr, oneOf, row, text, word, wrong } from './fields.ts';

/** A day. */
const waitRange = { min: 0, max: 24 * 3600 * 1000 };
const signatureLengthMax = 1024;

export function packOrder(order: UpdateOrder): unknown[] {
  const { version, target, blob, bytes, waitMs, allowDowngrade, signed } = order;
  const release = signed === null ? null : [signed.manifest, signed.signature];
  return [version, target, packBlob(blob), bytes, waitMs, allowDowngrade, release];
}

/** Throws `MalformedMessage`. */
export function readOrder(value: unknown): UpdateOrder {
  const fields = row(value, 7, 'order');
  return {
    version: readVersion(fields[0]),
    target: word(fields[1], 'target'),
    blob: readBlob(fields[2]),
    bytes: count(fields[3], 'bytes'),
    waitMs: amount(fields[4], 'waitMs', waitRange),
    allowDowngrade: bool(fields[5], 'allowDowngrade'),
    signed: nullOr(fields[6], (given) => {
      const release = row(given, 2, 'signed');
      return {
        manifest: text(release[0], 'manifest', manifestBytesMax),
        signature: text(release[1], 'signature', signatureLengthMax),
      };
    }),
  };
}

export function packUpdateReport({ version, step, detail }: UpdateReport): unknown[] {
  return ['updating', version, step, detail];
}

/** Throws `MalformedMessage`. */
export function readUpdateReport(value: unknown): UpdateReport {
  const fields = row(value, 4, 'updating');
  return {
    version: readVersion(fields[1]),
    step: oneOf(fields[2], 'step', updateSteps),
    detail: nullOr(fields[3], (given) => text(given, 'detail', fieldLimits.detailLengthMax)),
  };
}

export function packProgram(program: DeclaredProgram | null): unknown[] | null {
  return program === null ? null : [program.target, program.refusal, program.needsSignature];
}

/** Throws `MalformedMessage`. */
export function readProgram(value: unknown, refusalLengthMax: number): DeclaredProgram | null {
  return nullOr(value, (given) => {
    const fields = row(given, 3, 'program');
    return {
      target: nullOr(fields[0], (target) => word(target, 'target')),
      refusal: nullOr(fields[1], (refusal) => text(refusal, 'refusal', refusalLengthMax)),
      needsSignature: bool(fields[2], 'needsSignature'),
    };
  });
}

function readVersion(value: unknown): string {
  const version = word(value, 'version');
  if (!versionPattern.test(version)) throw wrong('version', 'a version', value);
  return version;
}
