/** Whether a data directory is on the machine it was last used on: facts read from a made-up `/proc` and `/sys`. */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isOtherMachine, keepHardware, readHardware, wasCopied } from '../../src/runtime/hardware.ts';

let directory: string;
let machines = 0;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-hardware-'));
  machines = 0;
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

interface Card {
  readonly address: string;
  readonly bus?: string | null;
  readonly assigned?: string;
}

interface Machine {
  readonly board?: string;
  readonly uuid?: string;
  readonly cards?: Readonly<Record<string, Card>>;
}

function put(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** The facts of a machine. A card without a bus is one of software. */
function facts({ board, uuid, cards = {} }: Machine) {
  machines += 1;
  const root = join(directory, `machine-${machines}`);
  if (board !== undefined) put(join(root, 'proc/device-tree/serial-number'), `${board}\0`);
  if (uuid !== undefined) put(join(root, 'sys/class/dmi/id/product_uuid'), `${uuid}\n`);
  for (const [name, { address, bus = 'pci0000:00', assigned = '0' }] of Object.entries(cards)) {
    const path = join(root, 'sys/class/net', name);
    put(join(path, 'address'), `${address}\n`);
    put(join(path, 'addr_assign_type'), `${assigned}\n`);
    if (bus === null) continue;
    const device = join(root, 'sys/devices', bus, name);
    mkdirSync(device, { recursive: true });
    symlinkSync(device, join(path, 'device'));
  }
  return readHardware(root);
}

const pi: Machine = { board: '10000000a1b2c3d4', cards: { eth0: { address: 'dc:a6:32:01:02:03' } } };
const otherPi: Machine = { board: '10000000ffee1122', cards: { eth0: { address: 'dc:a6:32:0a:0b:0c' } } };
const uuid = '4c4c4544-0051-3510-8052-b4c04f564231';

describe('isOtherMachine()', () => {
  test('tells a copied card from the same board', () => {
    expect(isOtherMachine(facts(pi), facts(otherPi))).toBe(true);
    expect(isOtherMachine(facts(pi), facts(pi))).toBe(false);
  });

  test.each<[string, Machine, Machine]>([
    ['another network card', pi, { ...pi, cards: { eth0: { address: '00:11:22:33:44:55' } } }],
    ['a start without root', { uuid, cards: pi.cards ?? {} }, { cards: pi.cards ?? {} }],
    ['a first start as root', { cards: pi.cards ?? {} }, { uuid, cards: pi.cards ?? {} }],
    ['a card drawn at random', { uuid }, { uuid, cards: { wlan0: { address: '02:11:22:33:44:55', assigned: '3' } } }],
    ['a virtual machine that moved', { uuid }, { uuid, cards: { eth0: { address: '52:54:00:12:34:56' } } }],
  ])('is not moved by %s', (_what, before, after) => {
    expect(isOtherMachine(facts(before), facts(after))).toBe(false);
  });

  test('concludes nothing where there is nothing to compare', () => {
    expect(isOtherMachine(facts({}), facts(pi))).toBe(false);
    expect(isOtherMachine(facts(pi), facts({}))).toBe(false);
    expect(isOtherMachine(facts({ board: '10000000a1b2c3d4' }), facts({ uuid }))).toBe(false);
  });
});

describe('readHardware()', () => {
  test('leaves out sticks on USB, cards of software, random addresses, and what makers left empty', () => {
    const cards = {
      eth1: { address: '00:e0:4c:68:00:01', bus: 'pci0000:00/usb1/1-1' },
      docker0: { address: '02:42:aa:bb:cc:dd', bus: null },
      wlan0: { address: '8e:12:34:56:78:9a', assigned: '3' },
      eth2: { address: '00:00:00:00:00:00' },
    };
    for (const empty of ['To Be Filled By O.E.M.', '00000000-0000-0000-0000-000000000000', 'Default string', 'None']) {
      expect(facts({ board: empty, uuid: empty, cards })).toEqual({ board: [], product: [], address: [] });
    }
    expect(facts({ uuid: '03000200-0400-0500-0006-000700080009' }).product).toEqual([]);
  });

  test('keeps no serial number in clear', () => {
    expect(JSON.stringify(facts({ ...pi, uuid }))).not.toMatch(/a1b2c3d4|dc:a6|4c4c/i);
  });
});

describe('wasCopied()', () => {
  test('is false at first, and on the machine itself; true on another one, until that is remembered', () => {
    const [here, there] = [facts(pi), facts(otherPi)];
    expect(wasCopied(directory, here)).toBe(false);
    keepHardware(directory, here, { anew: false });
    expect(statSync(join(directory, 'hardware.json')).mode & 0o777).toBe(0o600);
    expect([wasCopied(directory, here), wasCopied(directory, there)]).toEqual([false, true]);
    keepHardware(directory, there, { anew: true });
    expect([wasCopied(directory, here), wasCopied(directory, there)]).toEqual([true, false]);
  });

  test('follows a machine whose parts are replaced one after the other', () => {
    keepHardware(directory, facts(pi), { anew: false });
    const newCard = { ...pi, cards: { eth0: { address: '00:11:22:33:44:55' } } };
    keepHardware(directory, facts(newCard), { anew: false });
    expect(wasCopied(directory, facts({ ...newCard, board: '10000000ffee1122' }))).toBe(false);
  });

  test('writes nothing when nothing is new, and does not stumble over a damaged file', () => {
    keepHardware(directory, facts(pi), { anew: false });
    const file = join(directory, 'hardware.json');
    const { mtimeMs } = statSync(file);
    keepHardware(directory, facts(pi), { anew: false });
    expect(statSync(file).mtimeMs).toBe(mtimeMs);
    writeFileSync(file, '{"version":1,"board":7');
    expect(wasCopied(directory, facts(otherPi))).toBe(false);
    keepHardware(directory, facts(pi), { anew: false });
    expect(JSON.parse(readFileSync(file, 'utf8')).board).toHaveLength(1);
  });
});
