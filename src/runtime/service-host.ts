/**
 * What `octaskly service` does to this machine: finds out what keeps services running here, runs its commands, writes and
 * removes files, makes accounts, and takes on an account's rights for a while.
 * Deliberately not here: what to run and write (`core/service/`), and when (`roles/service.ts`).
 * Invariant: a file that does not carry our mark is neither replaced nor removed.
 */

import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { Account } from '../core/host-isolation.ts';
import { type InitName, mark, type ServiceFile, shellQuoted } from '../core/service/definition.ts';
import type { ServicePlaces, ServiceStep } from '../core/service/plan.ts';
import { accountNamed, groupsOf, hasGroup, ownAccountName, ownerOf } from './accounts.ts';
import { hasCode } from './file-bytes.ts';
import { type Answered, askTool } from './tool-answer.ts';

/** Longest a command of an init system may take, ms: a worker that is stopped hands its tasks back first. */
const stepMs = 120_000;

/** What keeps services running here; `isRunning` false: it is installed, and will at the next boot. Null: nothing known. */
export function findInit(): { readonly init: InitName; readonly isRunning: boolean } | null {
  if (process.platform === 'darwin') return { init: 'launchd', isRunning: true };
  if (process.platform === 'win32') return { init: 'task', isRunning: true };
  if (process.platform === 'android' || process.env.TERMUX_VERSION !== undefined)
    return { init: 'termux', isRunning: true };
  if (existsSync('/run/systemd/system')) return { init: 'systemd', isRunning: true };
  if (existsSync('/run/openrc') || existsSync('/sbin/openrc-run')) {
    return { init: 'openrc', isRunning: existsSync('/run/openrc') };
  }
  return Bun.which('systemctl') === null ? null : { init: 'systemd', isRunning: false };
}

/** This account and its places. */
export function servicePlaces(): ServicePlaces {
  const homeDir = homedir();
  const domain = process.env.USERDOMAIN;
  return {
    homeDir,
    configDir: process.env.XDG_CONFIG_HOME ?? join(homeDir, '.config'),
    prefix: process.env.PREFIX ?? '/data/data/com.termux/files/usr',
    uid: process.getuid?.() ?? 0,
    user: `${domain === undefined ? '' : `${domain}\\`}${ownAccountName()}`,
  };
}

/** What tools of the init system need of the environment: the way to the user's manager. Times are told in UTC. */
function toolEnvironment(): Record<string, string> {
  const names = [
    'HOME',
    'XDG_RUNTIME_DIR',
    'XDG_CONFIG_HOME',
    'DBUS_SESSION_BUS_ADDRESS',
    'USER',
    'PREFIX',
    'TERMUX_VERSION',
  ];
  const known = names.flatMap((name): [string, string][] => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  });
  return { ...Object.fromEntries(known), TZ: 'UTC' };
}

/** What a tool answers; null where there is none. `offline`: the init system does not run. */
export function askInit(argv: readonly [string, ...string[]], { offline = false } = {}): Promise<Answered | null> {
  return askTool(argv, stepMs, { ...toolEnvironment(), ...(offline ? { SYSTEMD_OFFLINE: '1' } : {}) });
}

/** Carries out commands in turn. Error: `io` with what the tool said, at the first that fails and is not optional. */
export async function carryOut(
  steps: readonly ServiceStep[],
  options: { readonly offline?: boolean } = {},
): Promise<void> {
  for (const { argv, optional } of steps) {
    const answer = await askInit(argv, options);
    if (optional || answer?.status === 0) continue;
    const line = argv.join(' ');
    if (answer === null) throw new OctasklyError('io', `Cannot run "${line}": there is no ${argv[0]} here.`);
    const said = answer.text.trim().slice(-2000);
    const how = answer.status === null ? `did not end within ${stepMs / 1000} s` : `ended with ${answer.status}`;
    throw new OctasklyError('io', `"${line}" ${how}${said === '' ? '.' : `: ${said}`}`);
  }
}

function onFile<T>(path: string, verb: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof OctasklyError) throw cause;
    const denied = cause instanceof Error && 'code' in cause && (cause.code === 'EACCES' || cause.code === 'EPERM');
    const hint = denied ? ' A service of the machine takes root: use sudo, or --user.' : '';
    throw new OctasklyError(denied ? 'forbidden' : 'io', `Cannot ${verb} "${path}": ${reasonOf(cause)}.${hint}`, {
      cause,
    });
  }
}

/** The text at `path`, where it was made here; null where nothing is. Errors: `conflict` for a file of somebody else's, `io`. */
export function ownFile(path: string): string | null {
  if (!existsSync(path)) return null;
  const text = decoded(onFile(path, 'read', () => readFileSync(path)));
  if (text.includes(mark)) return text;
  throw new OctasklyError(
    'conflict',
    `"${path}" was not made by 'octaskly service install' and stays as it is. Move it away, or use another --name.`,
  );
}

/** The text of a service's file, whoever made it; null where none is, or it cannot be read. */
export function serviceText(path: string): string | null {
  try {
    return decoded(readFileSync(path));
  } catch {
    return null;
  }
}

/** What the Task Scheduler reads is UTF-16 with its mark. */
function decoded(bytes: Buffer): string {
  return bytes.toString(bytes[0] === 0xff ? 'utf16le' : 'utf8');
}

/** Writes a file, whole or not at all. Errors: `conflict`, `forbidden`, `io`. */
export function writeServiceFile({ path, text, mode }: ServiceFile): void {
  ownFile(path);
  onFile(path, 'write', () => {
    mkdirSync(dirname(path), { recursive: true });
    const draft = `${path}.${process.pid}.new`;
    const isUtf16 = text.includes('encoding="UTF-16"');
    writeFileSync(draft, isUtf16 ? Buffer.from(`\ufeff${text}`, 'utf16le') : text, { mode });
    chmodSync(draft, mode);
    renameSync(draft, path);
  });
}

/** Removes a file that was made here. Errors: `conflict`, `forbidden`, `io`. */
export function removeServiceFile(path: string): void {
  ownFile(path);
  onFile(path, 'remove', () => rmSync(path, { force: true }));
}

/** The command that makes a system account without a home, a shell or a password; null where no tool for that is. */
export function accountCommand(name: string, dataDir: string): readonly [string, ...string[]] | null {
  const noShell = existsSync('/usr/sbin/nologin') ? '/usr/sbin/nologin' : '/sbin/nologin';
  const where = { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
  if (Bun.which('useradd', where) !== null) {
    // A group outlives its account where others are in it.
    const group = hasGroup(name) ? ['--gid', name] : ['--user-group'];
    return ['useradd', '--system', ...group, '--no-create-home', '--home-dir', dataDir, '--shell', noShell, name];
  }
  if (Bun.which('adduser', where) === null) return null;
  return ['adduser', '-S', '-D', '-H', '-h', dataDir, '-s', noShell, name];
}

/** Makes the directory, with this account as its owner; one that is there already is left as it is. Error: `io`. */
export function provideDataDir(path: string, account: Account | null): void {
  if (existsSync(path)) return;
  onFile(path, 'make', () => {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if (account !== null) chownSync(path, account.uid, account.gid);
  });
}

/**
 * Does `work` with the rights of `account` instead of root's: in a directory of that account, links it may have put there
 * lead nowhere it could not go itself. Null: as whoever this is.
 */
export async function asAccount<T>(account: Account | null, work: () => Promise<T>): Promise<T> {
  if (account === null || process.getuid?.() !== 0 || account.uid === 0) return work();
  const groups = process.getgroups?.() ?? [];
  try {
    withGroups(() => process.setgroups?.(groupsOf(account)));
    process.setegid?.(account.gid);
    process.seteuid?.(account.uid);
    return await work();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
    withGroups(() => process.setgroups?.(groups));
  }
}

/**
 * Does `work` in the directory `dataDir` with the rights of the account it belongs to, when this is root: what root made
 * there, a service that runs as that account could not read. One that is still to be made is this account's. Errors: those
 * of `work`; `io` for what is root's there already.
 */
export async function asOwnerOf(dataDir: string, work: () => Promise<void>): Promise<void> {
  const owner = existsSync(dataDir) ? ownerOf(dataDir) : null;
  try {
    await asAccount(owner, work);
  } catch (cause) {
    const isDenied = cause instanceof OctasklyError && hasCode(cause.cause, 'EACCES', 'EPERM');
    if (!isDenied || owner === null || owner.uid === process.getuid?.()) throw cause;
    const mend = `chown -R ${owner.uid} ${shellQuoted(dataDir)}`;
    const message = `${cause.message} "${dataDir}" belongs to ${owner.name}, so this is done with its rights: give it what is in there, and try again: ${mend}`;
    throw new OctasklyError('io', message, { cause });
  }
}

/** Other groups count too, where they may be changed: a container may not let even its root do so (user_namespaces(7)). */
function withGroups(change: () => void): void {
  try {
    change();
  } catch (error) {
    if (!hasCode(error, 'EPERM')) throw error;
  }
}

/** The account of that name; one that is still to be made may do what everybody may. */
export function accountToBe(name: string): Account {
  return accountNamed(name) ?? { name, uid: 65_534, gid: 65_534 };
}

/** The account of that name. Error: `usage` where there is none. */
export function requireAccount(name: string): Account {
  const account = accountNamed(name);
  if (account !== null) return account;
  throw new OctasklyError(
    'usage',
    `There is no account "${name}" in /etc/passwd; make it with: useradd --system ${name}`,
  );
}

/** Whether the file is there and may be run by everybody whom the directories above let through. */
export function isProgram(path: string): boolean {
  const facts = statSync(path, { throwIfNoEntry: false });
  return facts?.isFile() === true && (facts.mode & 0o005) === 0o005;
}
