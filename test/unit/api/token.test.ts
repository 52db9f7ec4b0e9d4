/** JSON Web Tokens: round trip, an independent vector, and everything that must be refused. */

import { describe, expect, test } from 'bun:test';
import { signToken } from '../../../src/api/token.ts';
import { tokenLengthMax, verifyToken } from '../../../src/api/token-verification.ts';

const key = 'a secret of the cluster';
const hmacSha256 = (data: Uint8Array): Uint8Array =>
  new Uint8Array(new Bun.CryptoHasher('sha256', key).update(data).digest());
const nowSeconds = 1_800_000_000;
const claims = { sub: 'ann', role: 'admin', exp: nowSeconds + 60 } as const;
const full = { ...claims, aud: 'octaskly-api' } as const;

/** A token made by hand, independent of `signToken`. */
function forge(header: unknown, payload: unknown, signWith = key): string {
  const part = (value: unknown): string =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  const signed = `${part(header)}.${part(payload)}`;
  return `${signed}.${new Bun.CryptoHasher('sha256', signWith).update(signed).digest().toString('base64url')}`;
}
const header = { alg: 'HS256', typ: 'JWT' };
const verify = (token: string, at = nowSeconds) => verifyToken(token, { nowSeconds: at, hmacSha256 });

describe('verifyToken()', () => {
  test('takes what signToken() made, and gives its claims', () => {
    expect(verify(signToken({ ...claims, jti: 't1' }, hmacSha256))).toEqual({
      ok: true,
      claims: { ...full, jti: 't1' },
    });
  });

  test('signToken() makes the same text as another implementation', () => {
    expect(signToken(claims, hmacSha256)).toBe(forge(header, full));
  });

  test('ends with its expiry to the second', () => {
    const token = signToken(claims, hmacSha256);
    expect(verify(token, claims.exp - 1).ok).toBe(true);
    expect(verify(token, claims.exp)).toEqual({ ok: false, reason: 'The token has expired.' });
  });

  test('begins with nbf, with little patience for clocks that differ', () => {
    const token = signToken({ ...claims, nbf: nowSeconds + 30 }, hmacSha256);
    expect(verify(token).ok).toBe(true);
    expect(verify(token, nowSeconds - 1).ok).toBe(false);
  });

  test('lets a token that its owner signs live for a day at most, from an instant that has come', () => {
    const day = 24 * 3600;
    const own = (times: { iat?: number; exp: number }) => forge(header, { ...full, iss: 'owner', ...times });
    expect(verify(own({ iat: nowSeconds, exp: nowSeconds + day }))).toMatchObject({
      ok: true,
      claims: { iss: 'owner' },
    });
    const refused = [
      { iat: nowSeconds, exp: nowSeconds + day + 1 },
      { exp: nowSeconds + 60 },
      { iat: nowSeconds + day, exp: nowSeconds + day + 60 },
      { iat: nowSeconds - day, exp: nowSeconds + 1 },
    ];
    for (const times of refused) {
      const { ok } = verify(own(times));
      expect([times, ok]).toEqual([times, false]);
    }
    // On a dispatcher's list, where it can be revoked, it may live for long.
    expect(verify(forge(header, { ...full, iss: 'dispatcher', exp: nowSeconds + 400 * day })).ok).toBe(true);
  });

  const genuine = forge(header, full);
  const [head = '', payload = '', signature = ''] = genuine.split('.');
  const bad: [string, string][] = [
    ['nothing', ''],
    ['two parts', `${head}.${payload}`],
    ['four parts', `${genuine}.x`],
    ['another key', forge(header, full, 'another')],
    ['no signature', `${head}.${payload}.`],
    ['a short signature', `${head}.${payload}.${signature.slice(0, -2)}`],
    [
      'a signature with stray bits',
      `${head}.${payload}.${signature.slice(0, -1)}${signature.endsWith('A') ? 'B' : nextOf(signature)}`,
    ],
    ['padding', `${genuine}=`],
    [
      'another payload',
      `${head}.${Buffer.from(JSON.stringify({ ...full, sub: 'eve' })).toString('base64url')}.${signature}`,
    ],
    ['no algorithm', forge({ alg: 'none', typ: 'JWT' }, full)],
    ['another algorithm', forge({ alg: 'HS512', typ: 'JWT' }, full)],
    ['no type', forge({ alg: 'HS256' }, full)],
    ['a critical extension', forge({ ...header, crit: ['b64'] }, full)],
    ['no JSON', forge(header, 'x')],
    ['no expiry', forge(header, { ...full, exp: undefined })],
    ['an expiry that is no number', forge(header, { ...full, exp: '9999999999' })],
    ['another audience', forge(header, { ...full, aud: 'other' })],
    ['no subject', forge(header, { ...full, sub: '' })],
    ['an unknown issuer', forge(header, { ...full, iss: 'eve' })],
    ['an unknown role', forge(header, { ...full, role: 'root' })],
    ['too much', forge(header, { ...full, more: 'x'.repeat(tokenLengthMax) })],
  ];
  for (const [what, token] of bad) {
    test(`refuses ${what}`, () => {
      expect(verify(token)).toEqual({
        ok: false,
        reason: 'The token is not valid: it is malformed or of another cluster.',
      });
    });
  }
});

/** The next character of base64url: 32 bytes leave two unused bits in the last one, so only the encoding changes. */
function nextOf(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return alphabet.charAt(alphabet.indexOf(text.slice(-1)) + 1);
}
