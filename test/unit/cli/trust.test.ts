import { describe, expect, test } from 'bun:test';
import type { ApprovalView, AuditEntryView, CreatedInvite } from '../../../src/api/trust-schemas.ts';
import { targets } from '../../../src/core/targets.ts';
import { FakeDispatcher, problem, type Request } from './dispatcher.ts';
import { MemoryFiles } from './files.ts';
import { Shell, type ShellOptions } from './terminal.ts';

type Answers = Readonly<Record<string, unknown>>;

/** A dispatcher that answers `METHOD /path` (behind /api/v1) with that JSON; a `Response` as it is. */
function start(answers: Answers, options: ShellOptions = {}): { shell: Shell; dispatcher: FakeDispatcher } {
  const dispatcher = new FakeDispatcher();
  dispatcher.intercept = ({ method, path }) => {
    const answer = answers[`${method} ${path.replace('/api/v1', '')}`];
    if (answer === undefined) return null;
    return answer instanceof Response ? answer.clone() : Response.json(answer);
  };
  return { shell: new Shell({ ...options, dispatcher }), dispatcher };
}

const bodyOf = (request: Request | undefined): unknown => JSON.parse(String(request?.body));
const called = ({ requests }: FakeDispatcher): string[] => requests.map(({ method, path }) => `${method} ${path}`);

const inviteAnswer: CreatedInvite = {
  ...{ id: '0011223344556677', name: null, status: 'valid', uses: 0, uses_max: 1, created_by: 'local' },
  ...{ created_at: '2026-01-01T01:00:00.000Z', expires_at: '2026-01-01T02:00:00.000Z', token: 'octa1AbCdEf' },
  ...{ fingerprint: 'SHA256:f00', addresses: ['192.168.1.2:7878'] },
  install: 'curl -fsSL http://192.168.1.2:3000/install.sh | sh -s -- --join octa1AbCdEf',
  install_windows: '& ([scriptblock]::Create((irm http://192.168.1.2:3000/install.ps1))) -Join octa1AbCdEf',
  install_works: true,
  install_problem: null,
  install_targets: ['linux-x64', 'windows-x64'],
  install_sha256: 'cd'.repeat(32),
};

describe('invite', () => {
  test('prints the token, the fingerprint, the addresses and both lines to paste', async () => {
    const { shell, dispatcher } = start({ 'POST /invites': inviteAnswer });
    expect(await shell.run('invite')).toBe(0);
    const text = shell.stdout.text;
    expect(text).toContain('\n  octaskly worker --join octa1AbCdEf\n');
    expect(text).toContain(`\n  ${inviteAnswer.install}\n`);
    expect(text).toContain(`\n  ${inviteAnswer.install_windows}\n`);
    expect(text).toContain(`Script       SHA-256 ${'cd'.repeat(32)}\n`);
    expect(text).toContain('Fingerprint  SHA256:f00\n');
    expect(text).toContain('Addresses    192.168.1.2:7878\n');
    expect(text).not.toContain('▀');
    expect(bodyOf(dispatcher.requests[0])).toEqual({});
  });

  test('sends what the flags say; -o quiet prints the token alone, -o json the answer', async () => {
    const { shell, dispatcher } = start({ 'POST /invites': inviteAnswer });
    expect(await shell.run('invite', '--uses', '3', '--expires', '90m', '-o', 'quiet')).toBe(0);
    expect(shell.stdout.text).toBe('octa1AbCdEf\n');
    expect(bodyOf(dispatcher.requests[0])).toEqual({ uses: 3, expires_in: 5400 });
    const json = start({ 'POST /invites': inviteAnswer });
    expect(await json.shell.run('invite', '--name', 'pi-3', '-o', 'json')).toBe(0);
    expect(JSON.parse(json.shell.stdout.text)).toEqual(inviteAnswer);
    expect(bodyOf(json.dispatcher.requests[0])).toEqual({ name: 'pi-3' });
  });

  test('prints a line for what the dispatcher hands out, and how there would be more', async () => {
    const printed = async (...install_targets: string[]): Promise<string> => {
      const { shell } = start({ 'POST /invites': { ...inviteAnswer, install_targets } });
      expect(await shell.run('invite')).toBe(0);
      return shell.stdout.text.replaceAll(/\s+/g, ' ');
    };
    const own = await printed('linux-x64');
    expect([own.includes(inviteAnswer.install), own.includes('PowerShell')]).toEqual([true, false]);
    expect(own).toContain('hands out the program for linux-x64. For Windows and others start it with --dist');
    const windows = await printed('windows-x64');
    expect([windows.includes('install.sh'), windows.includes(inviteAnswer.install_windows)]).toEqual([false, true]);
    expect(windows).toContain('for windows-x64. For others start it with --dist');
    const all = await printed(...targets.map(({ name }) => name));
    expect([all.includes(inviteAnswer.install), all.includes('PowerShell'), all.includes('--dist')]).toEqual([
      true,
      true,
      false,
    ]);
    const none = await printed();
    expect([none.includes('install.'), none.includes('--dist')]).toEqual([false, false]);
  });

  test('prints both lines of a dispatcher that does not say yet for which devices they are', async () => {
    const { install_targets: _, ...older } = inviteAnswer;
    const { shell } = start({ 'POST /invites': older });
    expect(await shell.run('invite', '--qr')).toBe(0);
    expect(shell.stdout.text).toContain(`  ${inviteAnswer.install}\n`);
    expect(shell.stdout.text).toContain(`  ${inviteAnswer.install_windows}\n`);
    expect(shell.stdout.text).not.toContain('hands out');
  });

  test('says when the line to install from does not work yet, and what to do', async () => {
    const { shell } = start({
      'POST /invites': { ...inviteAnswer, install_works: false, install_problem: 'It works here only.' },
    });
    expect(await shell.run('invite')).toBe(0);
    expect(shell.stdout.text).toContain(`\n  ${inviteAnswer.install}\n`);
    expect(shell.stdout.text).toContain('\nIt works here only.\n');
  });

  test('draws a QR code on a terminal and for --qr, and none where it does not fit or is not wanted', async () => {
    const drawn = async (columns: number | undefined, ...flags: string[]): Promise<[boolean, string]> => {
      const { shell } = start({ 'POST /invites': inviteAnswer }, columns === undefined ? {} : { columns });
      expect(await shell.run('invite', ...flags)).toBe(0);
      return [/[▀▄]{2}/.test(shell.stdout.text), shell.stderr.text];
    };
    expect(await drawn(80)).toEqual([true, '']);
    expect(await drawn(undefined)).toEqual([false, '']);
    expect(await drawn(undefined, '--qr')).toEqual([true, '']);
    expect(await drawn(80, '--no-qr')).toEqual([false, '']);
    const [narrow, reason] = await drawn(20);
    expect(narrow).toBe(false);
    expect(reason).toContain('does not fit into the 20 of this terminal');
  });

  test('lists, revokes, and has no use for the flags of a new one there', async () => {
    const { shell, dispatcher } = start({
      'GET /invites': { invites: [inviteAnswer], next_cursor: null },
      'DELETE /invites/0011223344556677': inviteAnswer,
    });
    expect(await shell.run('invite', 'list')).toBe(0);
    expect(shell.stdout.text).toContain('0011223344556677  valid   0/1');
    expect(await shell.run('invite', 'revoke', '0011223344556677')).toBe(0);
    expect(called(dispatcher)).toEqual(['GET /api/v1/invites', 'DELETE /api/v1/invites/0011223344556677']);
    expect(await shell.run('invite', 'list', '--uses', '2')).toBe(2);
    expect(await shell.run('invite', 'revoke')).toBe(2);
    expect(shell.stderr.text).toContain("'octaskly invite list' has no use for --uses.");
    expect(shell.stderr.text).toEndWith('Something is missing: octaskly invite revoke ID.\n');
    expect(dispatcher.requests).toHaveLength(2);
  });
});

test('join hands its token to the role', async () => {
  const shell = new Shell();
  expect(await shell.run('join', 'octa1AbC', '--name', 'pi', '--data-dir', '~/d')).toBe(0);
  expect(shell.roleCalls).toMatchObject([['join', { name: 'pi', dataDir: '/home/ada/d' }, 'octa1AbC']]);
  expect(await shell.run('join')).toBe(2);
});

const device = (id: string, code: string, name: string): ApprovalView => ({
  ...{ id, code, name, address: '192.168.1.7', platform: 'linux', arch: 'arm64', version: '1', fingerprint: 'f' },
  ...{ asked_at: '2026-01-01T00:59:00.000Z', expires_at: '2026-01-01T01:04:00.000Z' },
});
const waiting = { approvals: [device('d1', '042137', 'pi'), device('d2', '999000', 'nas')], next_cursor: null };

describe('approve', () => {
  test.each([[['042137']], [['042 137']], [['042-137']], [['042', '137']], [['d1']]])('takes %j', async (words) => {
    const { shell, dispatcher } = start({
      'GET /approvals': waiting,
      'POST /workers/d1/approve': device('d1', '', ''),
    });
    expect(await shell.run('approve', ...words)).toBe(0);
    expect(called(dispatcher)).toEqual(['GET /api/v1/approvals', 'POST /api/v1/workers/d1/approve']);
    expect(shell.stderr.text).toBe('octaskly: pi (192.168.1.7) may join now.\n');
  });

  test.each([
    [
      '042138',
      1,
      "No device that waits shows 042 138. Those that wait show: 042 137 (pi), 999 000 (nas). 'octaskly approve' lists them.",
    ],
    ['pi', 2, 'A device chooses its name itself: say the six digits that "pi" shows, as octaskly approve 123456.'],
    [
      '4213',
      2,
      '"4213" is no code: it is the six digits the device shows, such as 123 456. \'octaskly approve --help\' says how.',
    ],
  ])('approves nothing for %s', async (word, status, message) => {
    const { shell, dispatcher } = start({ 'GET /approvals': waiting });
    expect(await shell.run('approve', word)).toBe(status);
    expect(shell.stderr.text).toBe(`octaskly: ${message}\n`);
    expect(dispatcher.requests).toHaveLength(1);
  });

  test('leaves the choice to the person where two devices show the same digits', async () => {
    const approvals = [device('d1', '111222', 'pi'), device('d2', '111222', 'pi')];
    const { shell } = start({ 'GET /approvals': { approvals, next_cursor: null } });
    expect(await shell.run('approve', '111222')).toBe(1);
    expect(shell.stderr.text).toContain('name one by its id: d1 (pi, 192.168.1.7), d2 (pi, 192.168.1.7).');
  });

  test('without a code lists who waits, with what to type', async () => {
    const { shell } = start({ 'GET /approvals': waiting });
    expect(await shell.run('approve')).toBe(0);
    const [, row = ''] = shell.stdout.text.split('\n');
    expect(row.split(/ {2,}/)).toEqual([
      '042 137',
      'pi',
      '192.168.1.7',
      'linux/arm64',
      '1m00s',
      'octaskly approve 042137',
    ]);
    const none = start({ 'GET /approvals': { approvals: [], next_cursor: null } });
    expect(await none.shell.run('reject')).toBe(0);
    expect(none.shell.stderr.text).toBe('octaskly: No device waits to be approved.\n');
  });

  test('has a twin that turns away', async () => {
    const { shell, dispatcher } = start({ 'GET /approvals': waiting, 'POST /workers/d2/reject': device('d2', '', '') });
    expect(await shell.run('reject', '999000', '-o', 'quiet')).toBe(0);
    expect([shell.stdout.text, called(dispatcher).at(-1)]).toEqual(['d2\n', 'POST /api/v1/workers/d2/reject']);
  });
});

test('kick shuts out the worker that has the name', async () => {
  const { shell, dispatcher } = start({
    'GET /workers': { workers: [{ id: 'w1', name: 'attic' }], next_cursor: null },
    'DELETE /workers/w1': new Response('{}'),
  });
  expect(await shell.run('kick', 'attic')).toBe(0);
  expect(called(dispatcher).at(-1)).toBe('DELETE /api/v1/workers/w1');
  expect(await shell.run('kick', 'atic')).toBe(1);
  expect(shell.stderr.text).toContain('There is no worker "atic". The nearest is "attic".');
});

describe('token', () => {
  const made = {
    ...{ id: 't1', name: 'ci', role: 'client', status: 'valid', created_at: 'x', revoked_at: null, token: 'a.b.c' },
    expires_at: '2026-04-01T00:00:00.000Z',
  };

  test('create prints the token alone on standard output', async () => {
    const { shell, dispatcher } = start({ 'POST /tokens': made });
    expect(await shell.run('token', 'create', '--role', 'client', '--name', 'ci', '--expires', '90d')).toBe(0);
    expect(shell.stdout.text).toBe('a.b.c\n');
    expect(shell.stderr.text).toStartWith('octaskly: Token t1 lets ci in as client until 2026-04-01T00:00:00.000Z.');
    expect(shell.stderr.text).not.toContain('a.b.c');
    expect(bodyOf(dispatcher.requests[0])).toEqual({ name: 'ci', role: 'client', expires_in: 7_776_000 });
    expect(await shell.run('token', '--name', 'ci', 'create', '-o', 'json')).toBe(0);
    expect(bodyOf(dispatcher.requests[1])).toEqual({ name: 'ci', role: 'client' });
  });

  test('list and revoke', async () => {
    const { shell, dispatcher } = start({
      'GET /tokens': { tokens: [made], next_cursor: null },
      'DELETE /tokens/ci': made,
    });
    expect(await shell.run('token', 'list', '-o', 'quiet')).toBe(0);
    expect(shell.stdout.text).toBe('t1\n');
    expect(await shell.run('token', 'revoke', 'ci')).toBe(0);
    expect(called(dispatcher)).toEqual(['GET /api/v1/tokens', 'DELETE /api/v1/tokens/ci']);
  });

  test.each([
    [['token'], 'Something is missing: octaskly token create | list | revoke ID|NAME.'],
    [['token', 'make'], "'octaskly token' does not do that, only: create, list, revoke."],
    [['token', 'create'], 'Something is missing: octaskly token create --name NAME.'],
    [['token', 'create', 'ci'], '"ci" is too much: octaskly token create --name NAME.'],
    [['token', 'list', '--role', 'admin'], "'octaskly token list' has no use for --role."],
    [['secret', 'hunter2'], "'octaskly secret' does not do that, only: rotate."],
    [['audit', 'verify', '--since', '1h'], "'octaskly audit verify' has no use for --since."],
    [['audit', '--db-path', 'x'], "'octaskly audit' has no use for --db-path."],
  ])('%j is asked wrongly', async (argv, message) => {
    const { shell, dispatcher } = start({});
    expect(await shell.run(...argv)).toBe(2);
    expect([shell.stderr.text, dispatcher.requests.length]).toEqual([`octaskly: ${message}\n`, 0]);
  });
});

test('secret explains itself; rotate says when the old one ends', async () => {
  const { shell, dispatcher } = start({ 'POST /secret/rotate': { grace_ends_at: '2026-01-02T01:00:00.000Z' } });
  expect(await shell.run('secret')).toBe(0);
  expect(shell.stdout.text).toContain("'octaskly secret rotate' replaces it");
  expect(dispatcher.requests).toHaveLength(0);
  expect(await shell.run('secret', 'rotate', '--grace', '2h')).toBe(0);
  expect(bodyOf(dispatcher.requests[0])).toEqual({ grace: 7200 });
  expect(shell.stdout.text).toEndWith('tokens made with it are valid until 2026-01-02T01:00:00.000Z.\n');
  const now = start({ 'POST /secret/rotate': { grace_ends_at: '2026-01-01T01:00:00.000Z' } });
  expect(await now.shell.run('secret', 'rotate', '--grace', '0')).toBe(0);
  expect(now.shell.stdout.text).toEndWith('tokens made with it are of no use any more.\n');
});

test('whoami says name and role', async () => {
  const { shell } = start({ 'GET /whoami': { name: 'ci', role: 'client' } });
  expect(await shell.run('whoami')).toBe(0);
  expect(shell.stdout.text).toBe('Name  ci\nRole  client\n');
});

function entry(id: number): AuditEntryView {
  const none = { worker_id: null, task_id: null, details: { from: '\u001b[31m', tries: 2 }, previous_hash: 'h' };
  return { id, timestamp: '2026-01-01T00:00:00.000Z', event_type: 'login_failed', actor: 'ci', ...none };
}

/** A record of `count` entries, two a page. */
function record(count: number, options: ShellOptions = {}): { shell: Shell; dispatcher: FakeDispatcher } {
  const dispatcher = new FakeDispatcher();
  dispatcher.intercept = ({ path, query }) => {
    if (path !== '/api/v1/audit') return null;
    const after = Number(query.get('cursor') ?? 0);
    const entries = [after + 1, after + 2].filter((id) => id <= count).map(entry);
    return Response.json({ entries, next_cursor: after + 2 < count ? after + 2 : null });
  };
  return { shell: new Shell({ ...options, dispatcher }), dispatcher };
}

describe('audit', () => {
  test('follows the pages with its filters, a line for each entry', async () => {
    const { shell, dispatcher } = record(5);
    expect(await shell.run('audit', '--since', '1h', '--type', 'login_failed', '--actor', 'ci', '-o', 'jsonl')).toBe(0);
    const lines = shell.stdout.text.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([1, 2, 3, 4, 5].map(entry));
    expect(dispatcher.requests.map(({ query }) => Object.fromEntries(query))).toEqual(
      [{}, { cursor: '2' }, { cursor: '4' }].map((cursor) => {
        return { since: '2026-01-01T00:00:00.000Z', type: 'login_failed', actor: 'ci', limit: '1000', ...cursor };
      }),
    );
  });

  test.each([
    ['1', '5\n'],
    ['2', '4\n5\n'],
    ['3', '3\n4\n5\n'],
    ['9', '1\n2\n3\n4\n5\n'],
  ])('--limit %s gives the newest, in their order', async (limit, ids) => {
    const { shell } = record(5);
    expect(await shell.run('audit', '-l', limit, '-o', 'quiet')).toBe(0);
    expect(shell.stdout.text).toBe(ids);
  });

  test('prints a table that cannot steer the terminal, or one JSON object', async () => {
    const { shell } = record(1);
    expect(await shell.run('audit')).toBe(0);
    expect(shell.stdout.text).toContain('login_failed  ci');
    expect(shell.stdout.text).toContain('from=\\x1b[31m tries=2');
    const json = record(3);
    expect(await json.shell.run('audit', '-o', 'json')).toBe(0);
    expect(JSON.parse(json.shell.stdout.text)).toEqual({ entries: [1, 2, 3].map(entry), next_cursor: null });
  });
});

describe('audit verify', () => {
  const sound = { ok: true, entries: 7, id: null, what: null, detail: '' };
  const broken = { ok: false, entries: 7, id: 4, what: 'changed', detail: 'Its hash does not fit.' } as const;
  const uncut = { removed_through: null, removed_at: null };
  const soundText = 'The record is as it was written: 7 entries, none changed, removed or reordered.\n';

  test('asks the dispatcher; its status tells whether the record is sound', async () => {
    const { shell } = start({ 'GET /audit/verify': sound });
    expect(await shell.run('audit', 'verify')).toBe(0);
    expect([shell.stdout.text, shell.stderr.text]).toEqual([soundText, '']);
    const other = start({ 'GET /audit/verify': broken });
    expect(await other.shell.run('audit', 'verify')).toBe(1);
    expect(other.shell.stdout.text).toBe(
      'The record is not as it was written: entry 4 was changed. Its hash does not fit.\n',
    );
    expect(other.shell.roleCalls).toEqual([]);
  });

  test('--db-path reads that file, and says so', async () => {
    const { shell, dispatcher } = start({}, { finding: { ...broken, ...uncut } });
    expect(await shell.run('audit', 'verify', '--db-path', '~/copy.db')).toBe(1);
    expect(shell.roleCalls).toEqual([['verifyRecord', '/home/ada/copy.db']]);
    expect(dispatcher.requests).toHaveLength(0);
    expect(shell.stderr.text).toBe('octaskly: Checking the record in /home/ada/copy.db, without the dispatcher.\n');
    expect(shell.stdout.text).toContain('entry 4 was changed');
  });

  test('reads the database of the data directory when no dispatcher runs on this machine', async () => {
    const local = new MemoryFiles({ '/d/octaskly.db': 'x' });
    const shell = new Shell({ local, finding: { ...sound, ...uncut } });
    expect(await shell.run('audit', 'verify', '--data-dir', '/d')).toBe(0);
    expect(shell.stdout.text).toBe(soundText);
    expect(shell.stderr.text).toContain('checking the record in /d/octaskly.db.');
    for (const argv of [
      ['--data-dir', '/none'],
      ['--data-dir', '/d', '--api', 'pi:3000'],
    ]) {
      const away = new Shell({ local });
      expect(await away.run('audit', 'verify', ...argv)).toBe(1);
      expect([away.roleCalls, away.stderr.text]).toEqual([[], expect.stringContaining('Cannot reach a dispatcher')]);
    }
  });

  test('says from which entry on, and when the ones before it went, where retention deleted some', async () => {
    const at = '2026-01-02T00:00:00.000Z';
    const words = `The record is as it was written from entry 6 on: 7 entries, none changed, removed or reordered. 5 entries before were deleted by retention, last at ${at}.\n`;
    const finding = { ...sound, removed_through: 5, removed_at: at };
    const { shell } = start({ 'GET /audit/verify': finding });
    expect([await shell.run('audit', 'verify'), shell.stdout.text]).toEqual([0, words]);
    const alone = start({}, { finding });
    expect([await alone.shell.run('audit', 'verify', '--db-path', 'x'), alone.shell.stdout.text]).toEqual([0, words]);
  });

  test('does not read the file when the dispatcher refuses', async () => {
    const local = new MemoryFiles({ '/home/ada/.octaskly/octaskly.db': 'x' });
    const { shell } = start({ 'GET /audit/verify': problem(403, 'forbidden', 'No.') }, { local });
    expect(await shell.run('audit', 'verify')).toBe(2);
    expect(shell.roleCalls).toEqual([]);
  });
});
