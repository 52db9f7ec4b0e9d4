/** Who may call what, as tables. */

import { describe, expect, test } from 'bun:test';
import {
  type Access,
  accesses,
  type Caller,
  hostAllowed,
  identify,
  isLoopback,
  mayCall,
  originAllowed,
  type Provenance,
  type RequireAuth,
} from '../../../src/api/access.ts';
import type { Role } from '../../../src/core/trust.ts';

test('mayCall() follows the table of roles', () => {
  const table: Record<Role, readonly Access[]> = {
    admin: ['public', 'self', 'tasks', 'cluster', 'admin'],
    dispatcher: ['public', 'self', 'tasks', 'cluster'],
    worker: ['public', 'self'],
    client: ['public', 'self', 'tasks'],
  };
  for (const [role, allowed] of Object.entries(table)) {
    for (const access of accesses) {
      expect([role, access, mayCall(role as Role, access)]).toEqual([role, access, allowed.includes(access)]);
    }
  }
});

test('hostAllowed() takes loopback names, addresses and known names, nothing else', () => {
  const names = ['nas', 'nas.local'];
  const yes = [
    'localhost',
    'LOCALHOST:3000',
    'a.localhost',
    '127.0.0.1:80',
    '192.168.1.4',
    '[::1]:3000',
    'nas',
    'Nas.Local.:1',
  ];
  const no = [
    '',
    'evil.example',
    'localhost.evil.example',
    'nas.local.evil',
    '127.0.0.1.evil',
    'a b',
    'nas:port',
    '[::1',
    'x@nas',
  ];
  for (const host of yes) expect([host, hostAllowed(host, names)]).toEqual([host, true]);
  for (const host of no) expect([host, hostAllowed(host, names)]).toEqual([host, false]);
});

describe('originAllowed()', () => {
  const program: Provenance = {
    ...{ host: 'nas:3000', scheme: 'http:', origin: null, site: null, mode: null, dest: null, method: 'POST' },
  };
  const table: [string, Partial<Provenance>, boolean][] = [
    ['a program', {}, true],
    ['our own page', { origin: 'http://nas:3000', site: 'same-origin' }, true],
    ['our own page behind TLS', { scheme: 'https:', origin: 'https://NAS:3000' }, true],
    ['our own page at the default port', { host: 'nas:80', origin: 'http://nas' }, true],
    ['a page of our host by another scheme', { origin: 'https://nas:3000' }, false],
    ['a page of our host without TLS', { scheme: 'https:', origin: 'http://nas:3000' }, false],
    ['any page of a host that is none', { host: 'nas:99999', origin: 'http://nas' }, false],
    ['a configured page', { origin: 'https://panel.example', site: 'cross-site' }, true],
    ['a typed address', { site: 'none', method: 'GET', mode: 'navigate', dest: 'document' }, true],
    ['a link that is followed', { site: 'cross-site', method: 'GET', mode: 'navigate', dest: 'document' }, true],
    ['another port of our host', { origin: 'http://nas:8080' }, false],
    ['another port of our host, reading', { site: 'same-site', method: 'GET', mode: 'no-cors', dest: 'image' }, false],
    ['a foreign page', { origin: 'http://evil.example' }, false],
    ['a page without origin', { origin: 'null' }, false],
    ['a foreign form', { site: 'cross-site', mode: 'navigate', dest: 'document' }, false],
    ['a foreign frame', { site: 'cross-site', method: 'GET', mode: 'navigate', dest: 'iframe' }, false],
    ['a foreign script', { site: 'cross-site', method: 'GET', mode: 'no-cors', dest: 'script' }, false],
  ];
  for (const [who, from, expected] of table) {
    test(`${expected ? 'allows' : 'refuses'} ${who}`, () => {
      expect(originAllowed({ ...program, ...from }, ['https://panel.example'])).toBe(expected);
    });
  }
});

test('isLoopback() knows the addresses of this machine', () => {
  for (const address of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) expect(isLoopback(address)).toBe(true);
  for (const address of ['', '10.0.0.1', '::', '::ffff:10.0.0.1', '127.0.0.1.evil', '1127.0.0.1']) {
    expect(isLoopback(address)).toBe(false);
  }
});

describe('identify()', () => {
  const near: Caller = { remote: '127.0.0.1', authorization: null, cookie: null, forwarded: false };
  const far: Caller = { remote: '10.0.0.9', authorization: null, cookie: null, forwarded: false };
  const good = { authorization: 'Bearer good' };
  const table: [RequireAuth, string, Caller, string | null][] = [
    ['auto', 'this machine', near, 'local'],
    ['auto', 'another machine', far, null],
    ['auto', 'nobody knows who', { ...near, remote: null }, null],
    ['auto', 'a proxy on this machine', { ...near, forwarded: true }, null],
    ['auto', 'another machine with a token', { ...far, ...good }, 'ann'],
    ['auto', 'another machine with a good session', { ...far, cookie: 'good' }, 'ann'],
    ['auto', 'this machine with a bad session', { ...near, cookie: 'bad' }, null],
    ['auto', 'a good token beside a bad session', { ...far, ...good, cookie: 'bad' }, 'ann'],
    ['auto', 'this machine with a bad token', { ...near, authorization: 'Bearer bad' }, null],
    ['auto', 'this machine with another scheme', { ...near, authorization: 'Basic good' }, null],
    ['true', 'this machine', near, null],
    ['true', 'this machine with a token', { ...near, authorization: 'bearer good' }, 'ann'],
    ['false', 'another machine', far, 'anonymous'],
    ['false', 'a bad token', { ...far, authorization: 'Bearer bad' }, 'anonymous'],
  ];
  for (const [mode, who, caller, actor] of table) {
    test(`with "${mode}" ${actor === null ? 'refuses' : 'knows'} ${who}`, () => {
      const identity = identify(mode, caller, (token) =>
        token === 'good' ? { ok: true, name: 'ann', role: 'admin' } : { ok: false, reason: 'bad' },
      );
      expect(identity.ok ? identity.name : null).toBe(actor);
    });
  }
});
