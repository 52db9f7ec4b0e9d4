import { expect, test } from 'bun:test';
import { decodeInvite, encodeInvite, type Invite } from '../../../src/core/invite.ts';

const invite: Invite = {
  inviteId: '00112233445566ff',
  secret: Uint8Array.from({ length: 16 }, (_, i) => 255 - i),
  dispatcherKey: 'ab'.repeat(32),
  expiresAt: 1_790_000_123_456,
  addresses: ['192.168.1.20:7878', '[fe80::1]:7878', 'pi.local:7878'],
  sums: null,
};
const sums = 'c0de'.repeat(16);

const detailOf = (text: string): string => {
  const decoded = decodeInvite(text);
  return decoded.ok ? 'it was taken' : decoded.detail;
};

test('decodeInvite() gives back what encodeInvite() was given', () => {
  expect(decodeInvite(encodeInvite(invite))).toEqual({ ok: true, invite });
  for (const other of [
    { ...invite, sums },
    { ...invite, addresses: [] },
    { ...invite, expiresAt: 0 },
    { ...invite, expiresAt: 2 ** 48 - 1, addresses: Array.from({ length: 8 }, () => 'h'.repeat(255)) },
  ]) {
    expect(decodeInvite(encodeInvite(other))).toEqual({ ok: true, invite: other });
  }
});

test('encodeInvite() stays short enough to be copied by hand and holds only letters, digits, - and _', () => {
  const few = { ...invite, addresses: ['192.168.1.20:7878'] };
  expect(encodeInvite(few)).toMatch(/^octa1[A-Za-z0-9_-]{1,115}$/);
  expect(encodeInvite({ ...few, sums })).toMatch(/^octa2[A-Za-z0-9_-]{1,158}$/);
});

test('decodeInvite() ignores the white space of broken lines', () => {
  const text = encodeInvite(invite);
  expect(decodeInvite(`  ${text.slice(0, 40)}\n  ${text.slice(40)}\r\n`)).toEqual({ ok: true, invite });
});

test('decodeInvite() finds every single mistyped, missing, doubled or swapped character', () => {
  const text = encodeInvite({ ...invite, sums });
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  // The last character holds bits that are not used: another one there may mean the same token.
  for (let at = 'octa2'.length; at < text.length - 1; at++) {
    const before = text.slice(0, at);
    const after = text.slice(at + 1);
    for (const other of alphabet.replace(text[at] ?? '', ''))
      expect(decodeInvite(before + other + after).ok).toBe(false);
    expect(decodeInvite(before + after).ok).toBe(false);
    expect(decodeInvite(before + text[at] + text[at] + after).ok).toBe(false);
    if (text[at] !== after[0]) expect(decodeInvite(before + after[0] + text[at] + after.slice(1)).ok).toBe(false);
  }
});

test('decodeInvite() says damaged, newer or something else, and never shows the token', () => {
  const text = encodeInvite(invite);
  expect(detailOf(`${text}!`)).toContain('is damaged');
  expect(detailOf(text.slice(0, 50))).toContain('is damaged');
  expect(detailOf('octa1')).toContain('is damaged');
  expect(detailOf(`octa2${text.slice(5)}`)).toContain('is damaged');
  expect(detailOf(`octa3${text.slice(5)}`)).toContain('newer octaskly');
  expect(detailOf('eyJhbGciOiJIUzI1NiJ9.e30.sig')).toContain('an access token');
  for (const other of ['', 'hello', text.slice(1), 'octa', 'OCTA1AAAA'])
    expect(detailOf(other)).toContain('not a join token');
  for (const bad of [`${text}A`, `octa3${text.slice(5)}`, text.slice(5)]) {
    expect(detailOf(bad)).not.toContain(text.slice(10, 18));
  }
});

test('decodeInvite() takes only lengths that add up, whatever the checksum says, and bounds its work', () => {
  expect(decodeInvite('octa1'.padEnd(10_000_000, 'A')).ok).toBe(false);
  expect(() => encodeInvite({ ...invite, addresses: Array.from({ length: 9 }, () => 'h:1') })).toThrow('few addresses');
  expect(() => encodeInvite({ ...invite, expiresAt: 2 ** 48 })).toThrow('48 bits');
  expect(() => encodeInvite({ ...invite, secret: new Uint8Array(15) })).toThrow('16 bytes');
  expect(() => encodeInvite({ ...invite, sums: 'c0de' })).toThrow('hex');
});
