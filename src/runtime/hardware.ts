/**
 * By what a worker notices that its data directory was copied to another device, as with the image of an SD card: facts
 * that belong to the machine itself. What is on the disk (`/etc/machine-id`, names) is copied along, and says nothing.
 *
 *   board     serial number of the board, by its device tree: Raspberry Pi and other small boards
 *   product   UUID and serial numbers of PCs and virtual machines (DMI, for root alone), and of Macs
 *   address   addresses burnt into built-in network cards; not those of USB sticks, of containers, or drawn at random
 *
 * Another machine is one that shares not a single fact, where both sides know facts of the same kind. One that keeps any
 * of them is the same, so that a new network card, a start without root, or a virtual machine that moved change nothing;
 * where there is nothing to compare (Windows, Android, containers without hardware) nothing is concluded.
 * Facts are kept as hashes: serial numbers are nobody's business. What is read never throws.
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { readPrivate, writePrivate } from './data-dir.ts';
import { namesIn, textOf } from './small-files.ts';

const kinds = ['board', 'product', 'address'] as const;

/** Hashes of facts by their kind; none of a kind = not known. */
export type Hardware = Readonly<Record<(typeof kinds)[number], readonly string[]>>;

/** Form of the file. */
const formVersion = 1;
/** Facts of one kind that are remembered. */
const factsMax = 16;
const toolMsMax = 2000;

function fileOf(directory: string): string {
  return join(directory, 'hardware.json');
}

/** True when `now` is another machine than `kept`. Pure. */
export function isOtherMachine(kept: Hardware, now: Hardware): boolean {
  const comparable = kinds.filter((kind) => kept[kind].length > 0 && now[kind].length > 0);
  return comparable.length > 0 && !comparable.some((kind) => now[kind].some((fact) => kept[kind].includes(fact)));
}

/** True when the worker's folder `directory` was last used on another machine than the present one. Errors: `io`, `forbidden`. */
export function wasCopied(directory: string, now: Hardware): boolean {
  const kept = keptHardware(directory);
  return kept !== null && isOtherMachine(kept, now);
}

/** Remembers this machine in the worker's folder: beside what is known of it, or (`anew`) alone. Errors: `io`, `forbidden`. */
export function keepHardware(directory: string, now: Hardware, { anew }: { readonly anew: boolean }): void {
  const kept = keptHardware(directory);
  const before = anew || kept === null ? noFacts : kept;
  const of = (kind: keyof Hardware) => [...new Set([...now[kind], ...before[kind]])].slice(0, factsMax);
  const merged: Hardware = { board: of('board'), product: of('product'), address: of('address') };
  const isKnown = kept !== null && kinds.every((kind) => merged[kind].every((fact) => kept[kind].includes(fact)));
  if (!anew && isKnown) return;
  writePrivate(fileOf(directory), JSON.stringify({ version: formVersion, ...merged }, null, 1));
}

const noFacts: Hardware = { board: [], product: [], address: [] };

/** Null when there is none, or it says nothing that can be used. */
function keptHardware(directory: string): Hardware | null {
  const text = readPrivate(fileOf(directory));
  if (text === null) return null;
  try {
    const fields = JSON.parse(text) as Record<string, unknown>;
    if (fields.version !== formVersion) return null;
    const of = (kind: string): string[] => {
      const facts: unknown = fields[kind];
      return Array.isArray(facts) ? facts.filter((fact) => typeof fact === 'string') : [];
    };
    return { board: of('board'), product: of('product'), address: of('address') };
  } catch {
    return null;
  }
}

/** The facts of this machine. `root`: where `/proc` and `/sys` are, for tests. */
export function readHardware(root = '/'): Hardware {
  if (process.platform === 'darwin' && root === '/') return { ...noFacts, product: hashed(macSerials()) };
  const texts = (paths: readonly string[]) => paths.map((path) => textOf(join(root, path)) ?? '');
  return {
    board: hashed(texts(['proc/device-tree/serial-number'])),
    product: hashed(
      texts(['product_uuid', 'product_serial', 'board_serial'].map((name) => `sys/class/dmi/id/${name}`)),
    ),
    address: hashed(addresses(join(root, 'sys/class/net'))),
  };
}

/** Addresses of network cards that are built in. */
function addresses(folder: string): string[] {
  return namesIn(folder).flatMap((name) => {
    const path = join(folder, name);
    const device = placeOf(join(path, 'device'));
    // NET_ADDR_PERM: not set or drawn by the system. A card on USB comes and goes, and is moved from device to device.
    const isBuiltIn = device !== null && !device.includes('/usb') && textOf(join(path, 'addr_assign_type')) === '0';
    return isBuiltIn ? [textOf(join(path, 'address')) ?? ''] : [];
  });
}

function hashed(texts: readonly string[]): string[] {
  // Texts of a device tree end with a zero.
  const telling = texts.map((text) => text.replaceAll('\0', '').trim().toLowerCase()).filter(isTelling);
  return telling.map((text) => createHash('sha256').update(`octaskly ${text}`).digest('hex').slice(0, 32));
}

/** What makers leave where a number should be tells nothing. */
function isTelling(text: string): boolean {
  if (text.length < 6 || new Set(text.replaceAll(/[^0-9a-z]/g, '')).size < 3) return false;
  // The UUID of boards whose maker gave none.
  return !/o\.?e\.?m|default|serial|not |none|unknown|^0?123456789|^03000200-0400-0500/.test(text);
}

function macSerials(): string[] {
  try {
    const args = ['-rd1', '-c', 'IOPlatformExpertDevice'];
    const text = execFileSync('/usr/sbin/ioreg', args, { encoding: 'utf8', timeout: toolMsMax, env: {} });
    return [...text.matchAll(/"IOPlatform(?:UUID|SerialNumber)" = "([^"]+)"/g)].map(([, value = '']) => value);
  } catch {
    return [];
  }
}

function placeOf(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}
