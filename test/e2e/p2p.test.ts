/**
 * Peer to peer with the compiled file: `run --p2p` with and without a dispatcher, who may hand tasks to whom, and what the
 * dispatcher has on record in the end. Beacons go over the loopback interface alone, at a port of each site's own.
 */

import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { closeSites, type Ended, type Node, openSite, type Site } from './site.ts';

setDefaultTimeout(120_000);
afterEach(closeSites);

/** A site whose nodes hear each other, and nobody else hears them. */
class PeerSite {
  readonly site: Site = openSite();
  /** Sites that meet by chance do not believe each other. */
  readonly #env = {
    OCTASKLY_DISCOVERY: 'true',
    OCTASKLY_INTERFACE: 'lo',
    OCTASKLY_DISCOVERY_PORT: `${33_000 + Math.floor(Math.random() * 20_000)}`,
  };

  dispatcher(...args: readonly string[]): Promise<Node> {
    return this.site.dispatcher(args, { env: this.#env });
  }

  /** A worker in a data directory of its own, with a credential of its own. */
  async worker(name: string, ...args: readonly string[]): Promise<Node> {
    const invite = await this.site.text(['invite', '-o', 'quiet']);
    const token = invite.match(/octa[12]\S+/)?.[0] ?? '';
    const where = ['--data-dir', this.directory(name), '--peer-port', '0', '--join', token, '--sandbox-level', 'none'];
    return this.site.worker(name, [...where, ...args], { env: this.#env });
  }

  /** A worker in a data directory of its own, that joins by the cluster secret. */
  secretWorker(name: string, ...args: readonly string[]): Promise<Node> {
    const secret = ['--data-dir', this.directory(name), '--secret-file', join(this.site.dataDir, 'secret')];
    const where = [...secret, '--dispatcher', '127.0.0.1', '--peer-port', '0', '--sandbox-level', 'none'];
    return this.site.worker(name, [...where, ...args], { env: this.#env });
  }

  /** As `secretWorker`, in the data directory `directory`, where no dispatcher answers it. */
  lonelyWorker(name: string, directory: string, ...args: readonly string[]): Promise<Node> {
    const secret = ['--data-dir', this.directory(directory), '--secret-file', join(this.site.dataDir, 'secret')];
    const where = ['--name', name, '--dispatcher', '127.0.0.1:1', '--peer-port', '0', '--sandbox-level', 'none'];
    return this.site.start(['worker', ...secret, ...where, ...args], { env: this.#env });
  }

  directory(name: string): string {
    return this.site.path(name);
  }

  /** `run --p2p` as the dispatcher's machine, or as that of a worker. */
  run(args: readonly string[], options: { as?: string | undefined; stdin?: string } = {}): Promise<Ended> {
    const { as, stdin } = options;
    const dataDir = as === undefined ? this.site.dataDir : this.directory(as);
    return this.site.run(['run', '--p2p', '--data-dir', dataDir, ...args], {
      env: this.#env,
      ...(stdin === undefined ? {} : { stdin }),
    });
  }

  open(args: readonly string[]) {
    return this.site.open(['run', '--p2p', ...args], { env: this.#env });
  }

  /** Names of the workers that are heard. */
  async heard(): Promise<string[]> {
    const text = await this.site.text(['peers', '--wait', '500ms', '-o', 'json'], { env: this.#env });
    const { peers } = JSON.parse(text) as { peers: { name: string; role: string }[] };
    return peers.filter(({ role }) => role === 'worker').map(({ name }) => name);
  }

  async hears(...names: readonly string[]): Promise<void> {
    await this.site.until(`${names.join(', ')} are heard`, async () => (await this.heard()).join() === names.join());
  }

  /** How many tasks are on record as taken of peers. */
  async adoptions(): Promise<number> {
    const { entries } = await this.site.get<{ entries: { event_type: string }[] }>('/api/v1/audit');
    return entries.filter(({ event_type: type }) => type === 'task_adopted').length;
  }
}

async function stopped(node: Node, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  node.kill(signal);
  await node.ended;
}

function lines(path: string): number {
  return readFileSync(path, 'utf8').trimEnd().split('\n').length;
}

describe('run --p2p with no dispatcher', () => {
  test('streams, exit statuses and standard input are those of a command run here, as a dispatcher and as a worker', async () => {
    const peers = new PeerSite();
    const dispatcher = await peers.dispatcher();
    await peers.worker('w1');
    await peers.worker('w2');
    await peers.hears('w1', 'w2');
    await stopped(dispatcher, 'SIGKILL');
    for (const as of [undefined, 'w1']) {
      const apart = await peers.run(['echo out; echo err >&2; exit 3'], { as });
      expect({ ...apart, stdout: apart.stdout.toString() }).toMatchObject({
        status: 3,
        stdout: 'out\n',
        stderr: 'err\n',
      });
      expect((await peers.run(['kill -9 $$'], { as })).status).toBe(137);
      expect((await peers.run(['--timeout', '1s', 'sleep', '9'], { as })).status).toBe(124);
      const echoed = await peers.run(['cat'], { as, stdin: 'a line\n'.repeat(50_000) });
      expect(echoed.stdout.toString()).toBe('a line\n'.repeat(50_000));
    }
    const large = await peers.run(['head -c 50000000 /dev/zero | tr "\\0" x']);
    expect(large).toMatchObject({ status: 0, stderr: '' });
    expect(large.stdout.equals(Buffer.alloc(50_000_000, 'x'))).toBe(true);
  });

  test('a signal cancels the task with all it started, and so does the end of the command', async () => {
    const peers = new PeerSite();
    const dispatcher = await peers.dispatcher();
    await peers.worker('w1');
    await peers.hears('w1');
    await stopped(dispatcher);
    for (const [signal, status] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
      ['SIGKILL', null],
    ] as const) {
      const child = await peers.open(['--no-stdin', 'echo begun; sleep 4711 & sleep 4712']);
      const isThere = (): boolean => peers.site.processes().some(({ command }) => command.startsWith('sleep 471'));
      await peers.site.until('the task runs', isThere);
      child.kill(signal);
      await child.exited;
      expect(child.exitCode).toBe(status);
      await peers.site.until('nothing of it is left', () => !isThere());
    }
  });

  test('who suits is chosen, and why nobody does is said', async () => {
    const peers = new PeerSite();
    const dispatcher = await peers.dispatcher();
    await peers.worker('w1', '-j', '1', '--label', 'zone=attic');
    await peers.worker('w2', '-j', '1', '--p2p-enabled', 'false', '--label', 'zone=cellar');
    await peers.hears('w1', 'w2');
    await stopped(dispatcher);
    expect((await peers.run(['--label', 'zone=attic', 'echo $OCTASKLY_WORKER'])).stdout.toString()).toBe('w1\n');
    for (const [label, why] of [
      ['zone=cellar', 'that could run it takes no tasks of peers (w2): --p2p-enabled false'],
      ['zone=none', 'None of the 2 workers heard is made for this task'],
    ] as const) {
      const { status, stderr } = await peers.run(['--label', label, 'true']);
      expect(status).toBe(125);
      expect(stderr).toContain(why);
    }
    const holding = await peers.open(['--no-stdin', 'sleep 4713']);
    await peers.site.until('w1 is busy', () => peers.site.processes().some(({ command }) => command === 'sleep 4713 '));
    await peers.site.until('that is heard', async () => (await peers.run(['true'])).stderr.includes('is busy'));
    holding.kill('SIGKILL');
    expect((await peers.run(['--in', '/etc/hosts', 'true'])).status).toBe(2);
    expect((await peers.run(['--discovery=false', 'true'])).stderr).toContain('--discovery false');
  });

  test('of several at once each has its turn while it is looked for somebody, and all busy is said with what helps', async () => {
    const peers = new PeerSite();
    await peers.dispatcher();
    await peers.worker('w1', '-j', '1');
    await peers.hears('w1');
    const all = await Promise.all(['a', 'b', 'c', 'd'].map((word) => peers.run([`sleep 0.1; echo ${word}`])));
    expect(all.map(({ status, stdout, stderr }) => `${status} ${stdout.toString().trim()}${stderr}`)).toEqual([
      '0 a',
      '0 b',
      '0 c',
      '0 d',
    ]);
    const long = await Promise.all(['a', 'b'].map(() => peers.run(['sleep 4'])));
    expect(long.map(({ status }) => status).sort()).toEqual([0, 125]);
    const { stderr } = long.find(({ status }) => status === 125) ?? { stderr: '' };
    expect(stderr).toContain('ry again when a task has ended');
    expect(stderr).not.toContain('invite');
  });

  test('with no peer, or no key of a cluster, it ends with 125 within three seconds', async () => {
    const peers = new PeerSite();
    const dispatcher = await peers.dispatcher();
    await stopped(dispatcher);
    const startedAt = performance.now();
    const alone = await peers.run(['true']);
    expect(performance.now() - startedAt).toBeLessThan(3500);
    expect(alone).toMatchObject({ status: 125 });
    expect(alone.stderr).toContain('No worker of the cluster was heard');
    const stranger = await peers.run(['true'], { as: 'nowhere' });
    expect(stranger).toMatchObject({ status: 125 });
    expect(stranger.stderr).toContain('No node of a cluster has its key in');
  });
});

describe('run --p2p and the dispatcher', () => {
  test('a task is on record with its output, once, also when the dispatcher was away at its start or its end', async () => {
    const peers = new PeerSite();
    const { site } = peers;
    let dispatcher = await peers.dispatcher();
    await peers.worker('w1');
    await peers.hears('w1');
    expect((await peers.run(['--name', 'first', 'echo out; exit 3'])).status).toBe(3);
    await site.until('it is recorded', async () => (await site.allTasks())[0]?.status === 'failed');
    const [first] = await site.allTasks();
    expect(first).toMatchObject({ name: 'first', exit_code: 3, attempt: 1 });
    expect(await site.text(['logs', first?.id ?? ''])).toBe('out');

    // Away at its end, and at its start and its end.
    const once = site.path('once');
    writeFileSync(once, '');
    const running = peers.run([`echo second >> ${once}; while [ ! -e ${site.path('go')} ]; do sleep 0.1; done`]);
    await site.until('it runs', () => readFileSync(once, 'utf8') !== '');
    await site.until('it is known', async () => (await site.allTasks()).length === 2);
    await stopped(dispatcher, 'SIGKILL');
    writeFileSync(site.path('go'), '');
    expect((await running).status).toBe(0);
    expect((await peers.run([`echo third >> ${once}`])).status).toBe(0);
    dispatcher = await peers.dispatcher();
    await site.until('all are recorded', async () => {
      const tasks = await site.allTasks();
      return tasks.length === 3 && tasks.every(({ completed_at: at }) => at !== null);
    });
    expect(lines(once)).toBe(2);
    expect((await site.allTasks()).map(({ attempt }) => attempt)).toEqual([1, 1, 1]);
    expect(await peers.adoptions()).toBe(3);
  });

  test('with --p2p-enabled false at the dispatcher no worker takes a task of a peer', async () => {
    const peers = new PeerSite();
    await peers.dispatcher('--p2p-enabled', 'false');
    await peers.worker('w1');
    await peers.hears('w1');
    const { status, stderr } = await peers.run(['true']);
    expect(status).toBe(125);
    expect(stderr).toContain('--p2p-enabled false');
    expect(await peers.site.allTasks()).toEqual([]);
  });

  test('a worker that was kicked hands nothing to others any more, with a dispatcher or without', async () => {
    const peers = new PeerSite();
    const dispatcher = await peers.dispatcher();
    const kicked = await peers.worker('w1');
    await peers.worker('w2');
    await peers.hears('w1', 'w2');
    expect((await peers.run(['--label', 'a=b', 'true'], { as: 'w1' })).status).toBe(125);
    expect((await peers.run(['true'], { as: 'w1' })).status).toBe(0);
    await peers.site.text(['kick', 'w1']);
    await kicked.ended;
    await peers.hears('w2');
    for (const goes of [true, false]) {
      const { status, stderr } = await peers.run(['true'], { as: 'w1' });
      expect(status).toBe(125);
      expect(stderr).toContain('no member of its cluster');
      if (goes) await stopped(dispatcher);
    }
    expect((await peers.run(['true'], { as: 'w2' })).status).toBe(0);
  });

  test('a kicked worker that still has the secret gets no tasks of peers, with a dispatcher or without', async () => {
    const peers = new PeerSite();
    const dispatcher = await peers.dispatcher();
    await peers.secretWorker('w1');
    const kicked = await peers.secretWorker('w2', '--label', 'k=1');
    await peers.hears('w1', 'w2');
    const asked = (as?: string): Promise<Ended> => peers.run(['--label', 'k=1', 'echo ran'], { as });
    // A worker that joined by the secret asks from its own data directory, as others do.
    expect((await asked('w1')).stdout.toString()).toBe('ran\n');
    cpSync(peers.directory('w2'), peers.directory('copy'), { recursive: true });
    await peers.site.text(['kick', 'w2']);
    await kicked.ended;
    await expect(peers.secretWorker('w2', '--label', 'k=1')).rejects.toThrow('was removed from the cluster');
    expect((await asked()).stderr).toContain('The one worker heard is not made for this task');
    await stopped(dispatcher, 'SIGKILL');
    // Even one that has not heard of it, and is there.
    await peers.lonelyWorker('w2', 'copy', '--label', 'k=1');
    await peers.hears('w1', 'w2');
    for (const as of [undefined, 'w1']) {
      const { status, stdout, stderr } = await asked(as);
      expect([status, stdout.toString()]).toEqual([125, '']);
      expect(stderr).toContain('is no member of the cluster, as far as this data directory knows: w2');
    }
  });

  test('a task whose worker is lost is failed, and run nowhere else', async () => {
    const peers = new PeerSite();
    await peers.dispatcher('--heartbeat-timeout', '1s');
    const workers = new Map([
      ['w1', await peers.worker('w1')],
      ['w2', await peers.worker('w2')],
    ]);
    await peers.hears('w1', 'w2');
    const ran = peers.site.path('ran');
    const running = peers.run([`echo $OCTASKLY_WORKER >> ${ran}; sleep 4714`]);
    await peers.site.until('it is on record', async () => (await peers.site.allTasks())[0]?.status === 'running');
    await peers.site.until('it runs', () => existsSync(ran));
    const at = readFileSync(ran, 'utf8').trim();
    workers.get(at)?.kill('SIGKILL');
    const { status, stderr } = await running;
    expect(status).toBe(125);
    expect(stderr).toContain('is run nowhere else');
    await peers.site.until('it has ended', async () => (await peers.site.allTasks())[0]?.status === 'failed');
    const [task] = await peers.site.allTasks();
    expect(task).toMatchObject({ attempt: 1 });
    expect(await peers.site.text(['show', task?.id ?? ''])).toContain(` on ${at} (`);
    expect(lines(ran)).toBe(1);
  });
});
