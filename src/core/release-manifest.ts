/**
 * The manifest of a release: what it consists of, so that whoever holds the signed manifest can check every file of it.
 *
 * `manifest.json` lies beside the files it names; `manifest.json.sig` is the Ed25519 signature (RFC 8032) of its bytes,
 * 64 bytes in base64 and a line feed. What is signed are the bytes as they are: nothing is put into a normal form first.
 *
 * Deliberately not here: reading, hashing, checking signatures, which is the machine's (`runtime/`).
 */

import { type Target, targetNamed } from './targets.ts';
import { versionPattern } from './update.ts';

export const manifestFile = 'manifest.json';
export const signatureFile = 'manifest.json.sig';
/** Bytes; a longer manifest is none. */
export const manifestBytesMax = 1024 * 1024;
const filesMax = 200;
const fileBytesMax = 1024 ** 3;

/**
 * `archive`: the program of a target, packed, beside the manifest. `program`: the executable inside that archive; it need
 * not lie beside the manifest. The others are for people.
 */
const releaseKinds = ['program', 'archive', 'package', 'installer', 'bill', 'text'] as const;
export type ReleaseKind = (typeof releaseKinds)[number];

export interface ReleaseFile {
  /** A bare file name beside the manifest, without any directory. */
  readonly file: string;
  readonly kind: ReleaseKind;
  /** The target it is for; `null` for what is for all. */
  readonly target: string | null;
  readonly bytes: number;
  /** SHA-256 of the file, 64 hexadecimal digits. */
  readonly sha256: string;
}

export interface ReleaseManifest {
  readonly name: 'octaskly';
  readonly version: string;
  /** The commit it was built from, 40 hexadecimal digits. */
  readonly commit: string;
  /** The time of that commit, ISO 8601: the same for every build of it. */
  readonly date: string;
  /** Versions of the protocol between nodes that its files speak, both inclusive. */
  readonly protocol: { readonly min: number; readonly max: number };
  readonly files: readonly ReleaseFile[];
}

export type ManifestReading =
  | { readonly ok: true; readonly manifest: ReleaseManifest }
  | { readonly ok: false; readonly reason: string };

/** Reads what somebody gave as a manifest. Unknown keys are left alone: a later release may say more. */
export function readManifest(text: string): ManifestReading {
  if (text.length > manifestBytesMax) return wrong(`it is longer than ${manifestBytesMax} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return wrong('it is not JSON');
  }
  if (!isRecord(value)) return wrong('it is not an object');
  const { name, version, commit, date, protocol, files } = value;
  if (name !== 'octaskly') return wrong('it is not of octaskly');
  if (!isText(version, versionPattern)) return wrong('its version is none');
  if (!isText(commit, /^[0-9a-f]{40}$/)) return wrong('its commit is none');
  if (!isText(date, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z$/)) return wrong('its date is none');
  if (!isRecord(protocol) || !isCount(protocol.min, 65_535) || !isCount(protocol.max, 65_535)) {
    return wrong('its protocol versions are none');
  }
  if (!Array.isArray(files) || files.length > filesMax) return wrong(`its files are no list of at most ${filesMax}`);
  const read = files.map(readFile);
  const bad = read.indexOf(null);
  if (bad >= 0) return wrong(`its file number ${bad + 1} is not described as one`);
  const named = read.filter((file) => file !== null);
  if (new Set(named.map(({ file }) => file)).size !== named.length) return wrong('it names a file twice');
  const { min, max } = protocol;
  return { ok: true, manifest: { name, version, commit, date, protocol: { min, max }, files: named } };
}

function wrong(reason: string): ManifestReading {
  return { ok: false, reason };
}

function readFile(value: unknown): ReleaseFile | null {
  if (!isRecord(value)) return null;
  const { file, kind, target, bytes, sha256 } = value;
  if (!isText(file, /^[0-9A-Za-z_][0-9A-Za-z._+~-]{0,199}$/) || !isText(sha256, /^[0-9a-f]{64}$/)) return null;
  if (!isCount(bytes, fileBytesMax)) return null;
  const known = releaseKinds.find((each) => each === kind);
  if (known === undefined) return null;
  if (target !== null && (typeof target !== 'string' || target.length > 64)) return null;
  return { file, kind: known, target, bytes, sha256 };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown, form: RegExp): value is string {
  return typeof value === 'string' && form.test(value);
}

function isCount(value: unknown, max: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max;
}

/** The file of that kind for a target; undefined where the release has none. */
export function fileFor({ files }: ReleaseManifest, target: Target, kind: ReleaseKind): ReleaseFile | undefined {
  return files.find((each) => each.kind === kind && each.target !== null && targetNamed(each.target) === target);
}
