import { describe, expect, test } from 'bun:test';
import {
  declineReasons,
  decodeDecline,
  decodeHello,
  encodeDecline,
  encodeHello,
  versionMismatch,
} from '../../../src/wire/hello.ts';

const hello = { version: 300, versionMin: 2, claim: { by: 'secret' } } as const;
const invite = { ...hello, claim: { by: 'invite', sums: null, inviteId: '00ff102030405060' } } as const;
const withSums = { ...hello, claim: { ...invite.claim, sums: 'ab'.repeat(32) } } as const;

describe('encodeHello() and decodeHello()', () => {
  test('give back the hello, also with something of a later version behind it', () => {
    const body = encodeHello(hello);
    expect(decodeHello(body)).toEqual(hello);
    expect(decodeHello(Uint8Array.of(...body, 1, 2, 3))).toEqual(hello);
    expect(decodeHello(Uint8Array.of(...encodeHello(invite), 1, 2, 3))).toEqual(invite);
    expect(decodeHello(Uint8Array.of(...encodeHello(withSums), 1, 2, 3))).toEqual(withSums);
    for (const by of ['nothing', 'credential'] as const) {
      expect(decodeHello(encodeHello({ ...hello, claim: { by } }))?.claim).toEqual({ by });
    }
  });

  test('take a claim of a later version, and an invite cut short, as none that is understood', () => {
    expect(decodeHello(encodeHello(hello).with(-1, 6))).toEqual({ ...hello, claim: null });
    const body = encodeHello(invite);
    for (let cut = 1; cut <= 8; cut++) expect(decodeHello(body.subarray(0, -cut))).toEqual({ ...hello, claim: null });
    const longer = encodeHello(withSums);
    for (let cut = 1; cut <= 40; cut++)
      expect(decodeHello(longer.subarray(0, -cut))).toEqual({ ...hello, claim: null });
  });

  test('refuse what is none', () => {
    const body = encodeHello(hello);
    for (let length = 0; length < body.length; length++) expect(decodeHello(body.subarray(0, length))).toBeNull();
    for (let at = 0; at < 9; at++) {
      const altered = body.slice();
      altered[at] = 0x7f;
      expect(decodeHello(altered)).toBeNull();
    }
  });
});

describe('versionMismatch()', () => {
  test('is null when the ranges overlap', () => {
    expect(versionMismatch({ version: 3, versionMin: 2 }, { version: 2, versionMin: 1 })).toBeNull();
    expect(versionMismatch({ version: 2, versionMin: 1 }, { version: 3, versionMin: 2 })).toBeNull();
  });

  test('says on each side which one is older and to be updated', () => {
    const [old, recent] = [
      { version: 1, versionMin: 1 },
      { version: 4, versionMin: 2 },
    ];
    expect(versionMismatch(recent, old)).toBe(
      'Cannot talk to an older octaskly: this side speaks protocol 2 to 4, the other 1. Update the other side.',
    );
    expect(versionMismatch(old, recent)).toContain('newer octaskly');
    expect(versionMismatch(old, recent)).toContain('Update this side.');
  });
});

describe('encodeDecline() and decodeDecline()', () => {
  test('give back the reason, and refused for unknown ones', () => {
    for (const reason of declineReasons) expect(decodeDecline(encodeDecline(reason))).toBe(reason);
    expect(decodeDecline(Uint8Array.of(2))).toBe('refused');
    expect(decodeDecline(Uint8Array.of(2, 200))).toBe('refused');
  });
});
