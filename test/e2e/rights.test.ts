/** Tokens and roles by the command line, what a token that does not hold is told, and the record of it all. */

import { Database } from 'bun:sqlite';
import { afterEach, expect, test } from 'bun:test';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Problem } from '../../src/api/schemas.ts';
import type { AuditEntryView, CreatedToken, TokenView } from '../../src/api/trust-schemas.ts';
import { keySet } from '../../src/runtime/keys.ts';
import { closeSites, type Ended, openSite, type Site, type StartOptions } from './site.ts';

afterEach(closeSites, 20_000);

/** A dispatcher that wants a token of everybody. */
async function guarded(): Promise<Site> {
  const site = openSite();
  await site.dispatcher(['--require-auth', 'true', '--api-bind', '127.0.0.1']);
  return site;
}

function createToken(site: Site, name: string, role = 'client', more: readonly string[] = []): Promise<string> {
  return site.text(['token', 'create', '--name', name, '--role', role, ...more, '-o', 'quiet']);
}

/** As the bearer of a token, and of nothing else. */
function as(token: string): StartOptions {
  return { env: { OCTASKLY_TOKEN: token } };
}

async function tokens(site: Site): Promise<TokenView[]> {
  return JSON.parse(await site.text(['token', 'list', '-o', 'json'])).tokens;
}

async function entries(site: Site, args: readonly string[] = []): Promise<AuditEntryView[]> {
  const text = await site.text(['audit', '-o', 'jsonl', ...args]);
  return text === '' ? [] : text.split('\n').map((line): AuditEntryView => JSON.parse(line));
}

/** The one line of a refusal. */
function refusal({ status, stdout, stderr }: Ended): string {
  expect({ status, stdout: stdout.toString(), stderr }).toEqual({ status: 2, stdout: '', stderr });
  return stderr;
}

test('token create prints a token once; list shows it, revoke ends it, and only its hash is kept', async () => {
  const site = await guarded();
  const made: CreatedToken = JSON.parse(
    await site.text(['token', 'create', '--role', 'client', '--name', 'ci', '--expires', '90d', '-o', 'json']),
  );
  expect(made).toMatchObject({ name: 'ci', role: 'client', status: 'valid' });
  expect(Date.parse(made.expires_at ?? '') - Date.parse(made.created_at)).toBe(90 * 24 * 3_600_000);
  const { token } = made;
  expect(JSON.parse(await site.text(['whoami', '-o', 'json'], as(token)))).toEqual({ name: 'ci', role: 'client' });
  const file = site.path('token');
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  expect(await site.text(['whoami', '-o', 'quiet', '--token-file', file])).toBe('ci');
  const given = await site.run(['whoami', '-o', 'quiet', '--token', token]);
  expect({ stdout: given.stdout.toString(), lines: given.stderr.trimEnd().split('\n').length }).toEqual({
    stdout: 'ci\n',
    lines: 1,
  });
  expect(given.stderr).toContain('OCTASKLY_TOKEN');
  expect(given.stderr).not.toContain(token);

  const listed = await site.text(['token', 'list', '-o', 'json']);
  expect(listed).not.toContain(token);
  expect((await tokens(site)).map(({ id, name, status }) => [id, name, status])).toEqual([[made.id, 'ci', 'valid']]);
  await site.text(['token', 'revoke', 'ci']);
  expect((await tokens(site)).map(({ status }) => status)).toEqual(['revoked']);
  expect(refusal(await site.run(['ps'], as(token)))).toContain('revoked');
  for (const name of ['octaskly.db', 'octaskly.db-wal']) {
    const path = join(site.dataDir, name);
    if (existsSync(path)) expect(readFileSync(path).includes(token)).toBe(false);
  }
  for (const name of ['owner', 'local', '../x']) {
    expect((await site.run(['token', 'create', '--name', name])).status).toBe(2);
  }
}, 60_000);

test('a client sees, follows and cancels its own tasks alone', async () => {
  const site = await guarded();
  const [ann, bob] = [as(await createToken(site, 'ann')), as(await createToken(site, 'bob'))];
  await site.worker('a');
  const own = await site.text(['submit', '-o', 'quiet', 'echo of-ann; exec sleep 600'], ann);
  const owners = await site.text(['submit', '-o', 'quiet', 'echo of-the-owner; exec sleep 600']);
  const bobs = await site.text(['submit', '-o', 'quiet', 'echo of-bob; exec sleep 600'], bob);
  const status = async (id: string): Promise<string> => JSON.parse(await site.text(['show', id, '-o', 'json'])).status;
  for (const id of [own, owners, bobs]) await site.until('it runs', async () => (await status(id)) === 'running');

  expect(await site.text(['ps', '-o', 'quiet'], bob)).toBe(bobs);
  expect((await site.text(['ps', '-o', 'quiet'])).split('\n').toSorted()).toEqual([own, owners, bobs].toSorted());
  for (const command of ['show', 'logs', 'explain', 'cancel', 'retry', 'outputs']) {
    for (const id of [own, owners]) {
      const ended = await site.run([command, id], bob);
      expect({ command, status: ended.status }).toEqual({ command, status: 1 });
      expect(`${ended.stdout}${ended.stderr}`).not.toMatch(/of-ann|of-the-owner/);
    }
  }
  // To depend on a task is to learn when and how it ends.
  expect((await site.run(['submit', '--after', own, 'true'], bob)).status).not.toBe(0);
  await site.text(['cancel', 'all'], bob);
  await site.until('its own is cancelled', async () => (await status(bobs)) === 'cancelled');
  for (const id of [own, owners]) expect(await status(id)).toBe('running');
  await site.text(['cancel', own]);
  await site.until('the owner cancelled it', async () => (await status(own)) === 'cancelled');
  expect(await site.text(['run', 'echo fine'], bob)).toBe('fine');
}, 60_000);

test('roles end where the table says', async () => {
  const site = await guarded();
  await site.worker('a');
  const bearer: Record<string, StartOptions> = {};
  for (const role of ['admin', 'dispatcher', 'worker', 'client']) {
    bearer[role] = as(await createToken(site, `a-${role}`, role));
  }
  const table: [command: string[], ...allowed: string[]][] = [
    [['whoami'], 'admin', 'dispatcher', 'worker', 'client'],
    [['ps'], 'admin', 'dispatcher', 'client'],
    [['submit', 'true'], 'admin', 'dispatcher', 'client'],
    [['workers'], 'admin', 'dispatcher'],
    [['drain', 'a'], 'admin', 'dispatcher'],
    [['undrain', 'a'], 'admin', 'dispatcher'],
    [['pause'], 'admin', 'dispatcher'],
    [['resume'], 'admin', 'dispatcher'],
    [['invite', '-o', 'quiet'], 'admin', 'dispatcher'],
    [['invite', 'list'], 'admin', 'dispatcher'],
    [['approve'], 'admin', 'dispatcher'],
    [['token', 'list'], 'admin'],
    [['token', 'create', '--name', 'more', '--role', 'admin'], 'admin'],
    [['audit'], 'admin'],
    [['audit', 'verify'], 'admin'],
    [['secret', 'rotate'], 'admin'],
  ];
  for (const [command, ...allowed] of table) {
    for (const [role, options] of Object.entries(bearer)) {
      const ended = await site.run(command, options);
      const expected = allowed.includes(role) ? 0 : 2;
      expect({ command, role, status: ended.status, stderr: ended.stderr }).toEqual({
        ...{ command, role, status: expected },
        stderr: expected === 0 ? ended.stderr : expect.stringContaining(role),
      });
    }
  }
  expect((await site.run(['kick', 'a'], bearer.client)).status).toBe(2);
  expect((await site.run(['kick', 'a'], bearer.dispatcher)).status).toBe(0);
}, 120_000);

test('a token that does not hold is told so, in one stable way, whatever is wrong with it', async () => {
  const site = await guarded();
  const secret = readFileSync(join(site.dataDir, 'secret'), 'utf8').trim();
  const now = Math.floor(Date.now() / 1000);
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const sign = (
    claims: object,
    { header = { alg: 'HS256', typ: 'JWT' }, key = secret }: { header?: object; key?: string } = {},
  ): string => {
    const text = `${part(header)}.${part({ sub: 'owner', role: 'admin', aud: 'octaskly-api', iss: 'owner', iat: now, exp: now + 600, ...claims })}`;
    return `${text}.${Buffer.from(keySet(key).signToken(Buffer.from(text))).toString('base64url')}`;
  };
  const status = async (token: string): Promise<[number, Problem]> => {
    const { status, body } = await site.call<Problem>('GET', '/api/v1/stats', undefined, {
      authorization: `Bearer ${token}`,
    });
    return [status, body];
  };
  const genuine = sign({});
  expect((await status(genuine))[0]).toBe(200);
  const [head = '', body = '', signature = ''] = genuine.split('.');
  const unsigned = `${part({ alg: 'none', typ: 'JWT' })}.${body}.`;
  const revoked = await createToken(site, 'gone', 'admin');
  await site.text(['token', 'revoke', 'gone']);
  const bad: Record<string, string> = {
    'no signature': unsigned,
    'none, with the signature of another': `${part({ alg: 'none', typ: 'JWT' })}.${body}.${signature}`,
    'another algorithm': sign({}, { header: { alg: 'HS512', typ: 'JWT' } }),
    'an asymmetric algorithm': sign({}, { header: { alg: 'RS256', typ: 'JWT' } }),
    'a critical header': sign({}, { header: { alg: 'HS256', typ: 'JWT', crit: ['x'], x: 1 } }),
    expired: sign({ iat: now - 600, exp: now - 1 }),
    'not yet valid': sign({ nbf: now + 3600 }),
    'issued in the future': sign({ iat: now + 3600, exp: now + 7200 }),
    'no expiry': sign({ exp: undefined }),
    'another audience': sign({ aud: 'another-api' }),
    'no audience': sign({ aud: undefined }),
    'another role': sign({ role: 'root' }),
    'long-lived, signed by its bearer': sign({ exp: now + 365 * 24 * 3600 }),
    'not on record': sign({ iss: 'dispatcher', jti: 'made-up' }),
    'of another cluster': sign({}, { key: 'another secret of another cluster' }),
    'altered claims': `${head}.${part({ sub: 'owner', role: 'admin', aud: 'octaskly-api', exp: now + 999 })}.${signature}`,
    revoked,
    oversized: sign({ padding: 'x'.repeat(5000) }),
    'oversized beyond the usual limits of a header': sign({ padding: 'x'.repeat(80_000) }),
    'not a token': 'swordfish',
  };
  for (const [name, token] of Object.entries(bad)) {
    const [code, problem] = await status(token);
    expect({ name, code, type: problem.type }).toEqual({ name, code: 401, type: 'urn:octaskly:problem:unauthorized' });
    if (token.length > 20) expect(JSON.stringify(problem)).not.toContain(token);
  }
}, 60_000);

test('tokens made with the old secret end with its grace', async () => {
  const site = await guarded();
  const early = await createToken(site, 'early');
  await site.text(['secret', 'rotate', '--grace', '1h']);
  expect(await site.text(['whoami', '-o', 'quiet'], as(early))).toBe('early');
  const late = await createToken(site, 'late');
  // Ends what the first rotation left valid.
  await site.text(['secret', 'rotate', '--grace', '1h']);
  expect(refusal(await site.run(['whoami'], as(early)))).toContain('token is not valid');
  expect(await site.text(['whoami', '-o', 'quiet'], as(late))).toBe('late');
  await site.text(['secret', 'rotate', '--grace', '0']);
  expect(refusal(await site.run(['whoami'], as(late)))).toContain('token is not valid');
  expect(await site.text(['whoami', '-o', 'quiet'])).toBe('owner');
}, 60_000);

test('the record says who did what, from where, and holds no secret', async () => {
  const site = await guarded();
  const token = await createToken(site, 'ann');
  await site.worker('a');
  const { token: join1, id: inviteId } = JSON.parse(await site.text(['invite', '-o', 'json']));
  const device = ['--port', `${site.port}`, '--data-dir', site.path('pi'), '--name', 'pi'];
  const pi = await site.start(['worker', ...device, '--join', join1]);
  await site.until('it has joined', () => pi.log().includes('Joined the dispatcher'));
  const waiting = await site.start([
    'worker',
    ...device.with(3, site.path('asks')).with(5, 'asks'),
    '--dispatcher',
    `127.0.0.1:${site.port}`,
  ]);
  const code = (): string => /\b\d{3} \d{3}\b/.exec(waiting.log())?.[0].replace(' ', '') ?? '';
  await site.until('it shows its code', () => code() !== '');
  await site.text(['approve', code()]);
  const id = await site.text(['submit', '-o', 'quiet', 'exec sleep 600'], as(token));
  await site.text(['cancel', id], as(token));
  await site.run(['workers'], as(token));
  await site.run(['ps'], as('not-a-token'));
  await site.run(['worker', ...device.with(3, site.path('late')), '--join', join1]);
  await site.text(['kick', 'pi']);
  await site.text(['invite', 'revoke', inviteId]);
  await site.text(['token', 'revoke', 'ann']);
  await site.text(['secret', 'rotate']);

  const all = await entries(site);
  const who = (type: string): string[] => all.filter((entry) => entry.event_type === type).map(({ actor }) => actor);
  expect(all[0]?.event_type).toBe('dispatcher_started');
  expect(all[0]?.details).toMatchObject({ require_auth: 'true' });
  const expected: [type: string, actor: string][] = [
    ['token_created', 'owner'],
    ['login', 'ann'],
    ['node_joined', 'a'],
    ['invite_created', 'owner'],
    ['node_joined', 'pi'],
    ['node_approved', 'owner'],
    ['task_submitted', 'ann'],
    ['task_cancelled', 'ann'],
    ['call_refused', 'ann'],
    ['login_failed', 'anonymous'],
    ['join_refused', 'pi'],
    ['worker_kicked', 'owner'],
    ['invite_revoked', 'owner'],
    ['token_revoked', 'owner'],
    ['secret_rotated', 'owner'],
  ];
  for (const [type, actor] of expected) expect([type, who(type)]).toEqual([type, expect.arrayContaining([actor])]);
  const submitted = all.find(({ event_type }) => event_type === 'task_submitted');
  expect(submitted).toMatchObject({
    task_id: id,
    details: { from: expect.stringContaining('127.0.0.1'), command: 'exec sleep 600' },
  });
  for (const [at, { id }] of all.entries()) expect(id).toBe(at + 1);

  expect((await entries(site, ['--actor', 'ann'])).every(({ actor }) => actor === 'ann')).toBe(true);
  expect((await entries(site, ['--type', 'worker_kicked'])).map(({ details }) => details.name)).toEqual(['pi']);
  expect(await entries(site, ['--since', '1h'])).toHaveLength((await entries(site)).length);
  const secrets = [token, join1, readFileSync(join(site.dataDir, 'secret'), 'utf8').trim()];
  const text = JSON.stringify(all);
  for (const secret of secrets) expect(text).not.toContain(secret);
}, 120_000);

/** Edits of the record by hand, the entry that verify must name, and what it must say was done to it. */
const edits: [name: string, what: string, id: number, statements: string[]][] = [
  ['a changed entry', 'changed', 4, ["UPDATE audit_log SET details = replace(details, 'true', 'false') WHERE id = 4"]],
  ['a changed actor', 'changed', 3, ["UPDATE audit_log SET actor = 'nobody' WHERE id = 3"]],
  ['a changed time', 'changed', 5, ["UPDATE audit_log SET timestamp = timestamp || '0' WHERE id = 5"]],
  ['a removed entry', 'removed', 4, ['DELETE FROM audit_log WHERE id = 4']],
  [
    'a removed entry, the gap closed',
    'removed',
    4,
    [
      'DELETE FROM audit_log WHERE id = 4',
      'UPDATE audit_log SET id = -id WHERE id > 4',
      'UPDATE audit_log SET id = -id - 1 WHERE id < 0',
    ],
  ],
  ['the newest entry removed', 'removed', 8, ['DELETE FROM audit_log WHERE id = 8']],
  [
    'two exchanged entries',
    'reordered',
    3,
    [
      'UPDATE audit_log SET id = -1 WHERE id = 3',
      'UPDATE audit_log SET id = 3 WHERE id = 5',
      'UPDATE audit_log SET id = 5 WHERE id = -1',
    ],
  ],
];

test('audit verify finds what was done to the record by hand, and names the entry', async () => {
  const site = openSite();
  const node = await site.dispatcher();
  while ((await entries(site)).length < 8) await site.submit({ command: 'true' });
  expect(await site.text(['audit', 'verify'])).toContain('none changed, removed or reordered');
  node.kill('SIGTERM');
  await node.ended;
  const whole = join(site.dataDir, 'octaskly.db');
  expect((await site.run(['audit', 'verify', '--db-path', whole])).status).toBe(0);
  for (const [name, what, id, statements] of edits) {
    const file = site.path(`${Bun.hash(name)}.db`);
    copyFileSync(whole, file);
    const database = new Database(file);
    for (const statement of statements) database.run(statement);
    database.close();
    const { status, stdout } = await site.run(['audit', 'verify', '--db-path', file]);
    const text = stdout.toString();
    expect({ name, status, text }).toEqual({
      name,
      status: 1,
      text: expect.stringContaining(`entry ${id} was ${what}`),
    });
  }
  // While the dispatcher runs it is asked, and sees the same.
  await site.dispatcher();
  const database = new Database(whole);
  database.run('PRAGMA busy_timeout = 5000');
  database.run("UPDATE audit_log SET actor = 'nobody' WHERE id = 2");
  database.close();
  const asked = await site.run(['audit', 'verify']);
  expect({ status: asked.status, text: asked.stdout.toString() }).toEqual({
    status: 1,
    text: expect.stringContaining('entry 2 was changed'),
  });
}, 60_000);
