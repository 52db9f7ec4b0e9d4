/**
 * What it takes to replace a program by another version: whether it should be, and what a dispatcher and a worker say to
 * each other of it.
 *
 *   worker:  ordered ──> fetching ──> draining ──> restarting ──> done
 *                └───────────┴────────────┴────────────┴─────────> failed (what ran before runs again)
 *
 * Deliberately not here: files, processes, signatures (`runtime/program-file.ts`), and the order of workers (`fleet.ts`).
 * Versions are compared as Semantic Versioning 2.0.0, section 11, has it; what is built from the same version is the same.
 */

/** A version: three numbers, and what comes before a release a tail. */
export const versionPattern = /^\d{1,9}\.\d{1,9}\.\d{1,9}(?:-[0-9A-Za-z.-]{1,64})?$/;

/** What a worker is told to run from now on. */
export interface UpdateOrder {
  readonly version: string;
  /** Name in `core/targets.ts`. */
  readonly target: string;
  /** The program, as blobs are named: `sha256:` and 64 hex digits. */
  readonly blob: string;
  readonly bytes: number;
  /** How long running tasks may go on before the update is given up, ms. */
  readonly waitMs: number;
  /** A version before the present one is meant. */
  readonly allowDowngrade: boolean;
  /** The release it is of, as it was signed: texts of `manifest.json` and `manifest.json.sig`; null = it was not. */
  readonly signed: { readonly manifest: string; readonly signature: string } | null;
}

export const updateSteps = ['fetching', 'draining', 'done', 'failed'] as const;
export type UpdateStep = (typeof updateSteps)[number];

/** What a worker says of an update. */
export interface UpdateReport {
  /** The one that was ordered. */
  readonly version: string;
  readonly step: UpdateStep;
  /** Why it failed, a sentence; else null. */
  readonly detail: string | null;
}

/** What a worker says of the program it runs. */
export interface DeclaredProgram {
  /** What it was built for; null where it runs from its sources. */
  readonly target: string | null;
  /** Why it takes no update from its dispatcher, as part of a sentence; null = it does. */
  readonly refusal: string | null;
  /** It takes only what the key of a release has signed. */
  readonly needsSignature: boolean;
}

/** Below 0: `a` is before `b`; 0: they are the same. Both fit `versionPattern`. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  for (let i = 0; i < 3; i++) {
    const difference = (left.numbers[i] ?? 0) - (right.numbers[i] ?? 0);
    if (difference !== 0) return difference;
  }
  // What comes before a release has a tail.
  if (left.tail === null || right.tail === null) return (left.tail === null ? 1 : 0) - (right.tail === null ? 1 : 0);
  return compareTails(left.tail, right.tail);
}

function partsOf(version: string): { readonly numbers: readonly number[]; readonly tail: string | null } {
  const dash = version.indexOf('-');
  const core = dash < 0 ? version : version.slice(0, dash);
  return { numbers: core.split('.').map(Number), tail: dash < 0 ? null : version.slice(dash + 1) };
}

function compareTails(a: string, b: string): number {
  const [left, right] = [a.split('.'), b.split('.')];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [x, y] = [left[i], right[i]];
    if (x === undefined || y === undefined) return (x === undefined ? 0 : 1) - (y === undefined ? 0 : 1);
    if (x === y) continue;
    const [isNumber, isOtherNumber] = [/^\d+$/.test(x), /^\d+$/.test(y)];
    if (isNumber && isOtherNumber) return Number(x) - Number(y);
    if (isNumber !== isOtherNumber) return isNumber ? -1 : 1;
    return x < y ? -1 : 1;
  }
  return 0;
}

/** Whether `offered` takes the place of `present`. */
export function judgeVersion(
  present: string,
  offered: string,
  allowDowngrade: boolean,
): 'same' | 'newer' | 'older' | 'refused' {
  if (present === offered) return 'same';
  if (compareVersions(offered, present) > 0) return 'newer';
  return allowDowngrade ? 'older' : 'refused';
}

/** Why a worker does not obey an order, as a sentence; null = it does. */
export function orderRefusal(
  order: Pick<UpdateOrder, 'version' | 'target' | 'allowDowngrade'>,
  present: { readonly version: string } & Pick<DeclaredProgram, 'target' | 'refusal'>,
): string | null {
  if (present.refusal !== null) return `It takes no update from its dispatcher: ${present.refusal}.`;
  if (order.target !== present.target) return `The program is for ${order.target}, and this is ${present.target}.`;
  if (judgeVersion(present.version, order.version, order.allowDowngrade) !== 'refused') return null;
  return `It runs ${present.version} already, which is later than ${order.version}.`;
}
