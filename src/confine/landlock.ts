/**
 * Landlock: closes the file system but for what is listed, and TCP, signals and abstract sockets, for this thread and all
 * that comes from it. It cannot be taken back.
 *
 * Deliberately not here: what Landlock does not know: mode, times and attributes of files, UDP, sockets with a path.
 * Invariant: every right of the version at hand is handled, so what a rule does not open is closed. Rights of versions to
 * come stay open, as the kernel demands; none of those known closes a hole the levels promise to close.
 * References: landlock(7), Linux Documentation/userspace-api/landlock.rst.
 */

import { addressOf, checked, libc, openPlace } from './calls.ts';
import { type LandlockRules, landlockAbiMin } from './spec.ts';

const landlockCreateRuleset = 444;
const landlockAddRule = 445;
const landlockRestrictSelf = 446;
const createRulesetVersion = 1;
const rulePathBeneath = 1;

/** LANDLOCK_ACCESS_FS_…: all 16 of version 6, from EXECUTE (bit 0) to IOCTL_DEV (bit 15). */
const everything = 0xffffn;
/** EXECUTE, READ_FILE, READ_DIR. */
const reading = 0b1101n;
/** EXECUTE, WRITE_FILE, READ_FILE, TRUNCATE, IOCTL_DEV: the kernel takes no others for what is not a directory. */
const ofFiles = 0b1100_0000_0000_0111n;
/** BIND_TCP and CONNECT_TCP. */
const tcp = 0b11n;
/** ABSTRACT_UNIX_SOCKET and SIGNAL. */
const scopes = 0b11n;

/** Restricts this thread; it must have no new privileges set. Throws when the kernel's Landlock does not do. */
export function restrict(rules: LandlockRules, { network }: { readonly network: boolean }): void {
  const version = Number(libc.syscall(landlockCreateRuleset, 0, 0, createRulesetVersion, 0, 0));
  if (version < landlockAbiMin) {
    const found = version < 1 ? 'is off' : `has version ${version}`;
    throw new Error(`Landlock of this kernel ${found}, it must have version ${landlockAbiMin} (Linux 6.12)`);
  }
  const attributes = new BigUint64Array([everything, network ? 0n : tcp, scopes]);
  const ruleset = checked(
    'make a Landlock ruleset',
    libc.syscall(landlockCreateRuleset, addressOf(attributes), attributes.byteLength, 0, 0, 0),
  );
  for (const path of rules.readOnly) open(ruleset, path, reading);
  for (const path of rules.readWrite) open(ruleset, path, everything);
  checked('restrict itself by Landlock', libc.syscall(landlockRestrictSelf, ruleset, 0, 0, 0, 0));
  libc.close(ruleset);
}

function open(ruleset: number, path: string, rights: bigint): void {
  const place = openPlace(path);
  // What cannot be reached stays closed.
  if (place === null) return;
  // struct landlock_path_beneath_attr is packed: 12 bytes.
  const rule = new DataView(new ArrayBuffer(12));
  rule.setBigUint64(0, place.directory ? rights : rights & ofFiles, true);
  rule.setInt32(8, place.descriptor, true);
  const bytes = new Uint8Array(rule.buffer);
  checked(
    `open ${path} in a Landlock ruleset`,
    libc.syscall(landlockAddRule, ruleset, rulePathBeneath, addressOf(bytes), 0, 0),
  );
  libc.close(place.descriptor);
}
