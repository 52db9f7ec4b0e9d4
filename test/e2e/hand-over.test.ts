/**
 * The compiled file: a worker that is drained, grows hot or goes on battery hands what waits with it to a peer, directly,
 * and not where either side wants no peers. Thermometer and battery are directories put over the kernel's in a mount
 * namespace of the worker's own, so it takes root on Linux. Beacons go over the loopback interface alone.
 */

import { afterEach, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beaconIntervalMs } from '../../src/discovery/beacon.ts';
import { closeSites, type Node, openSite } from './site.ts';

setDefaultTimeout(90_000);
afterEach(closeSites);

const canMount = process.platform === 'linux' && process.getuid?.() === 0;
if (!canMount) console.log('skipped: only root on Linux can put a thermometer and a battery over those of the kernel');

const said = 'handed waiting tasks to a peer';

interface Shown {
  readonly id: string;
  readonly name: string | null;
  readonly status: string;
  readonly worker_id: string | null;
  readonly attempt: number;
}

/** A worker whose thermometer and battery are files. */
class Feeling {
  readonly node: Node;
  readonly id: string;
  readonly #directory: string;

  constructor(node: Node, id: string, directory: string) {
    this.node = node;
    this.id = id;
    this.#directory = directory;
  }

  static prepare(directory: string): void {
    write(join(directory, 'thermal/thermal_zone0/temp'), '40000');
    write(join(directory, 'power/BAT0/type'), 'Battery');
    write(join(directory, 'power/BAT0/capacity'), '80');
    write(join(directory, 'power/BAT0/status'), 'Charging');
  }

  heat(): void {
    write(join(this.#directory, 'thermal/thermal_zone0/temp'), '91000');
  }

  unplug(): void {
    write(join(this.#directory, 'power/BAT0/status'), 'Discharging');
  }
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${text}\n`);
}

/** Two workers of two slots; five long tasks, so that one of the workers has one that waits. */
class Pair {
  readonly site = openSite();
  readonly #env = {
    OCTASKLY_DISCOVERY: 'true',
    OCTASKLY_INTERFACE: 'lo',
    OCTASKLY_DISCOVERY_PORT: `${33_000 + Math.floor(Math.random() * 20_000)}`,
  };
  readonly workers: Feeling[] = [];

  static async of({ dispatcher = [], worker = [] }: { dispatcher?: string[]; worker?: string[] } = {}): Promise<Pair> {
    const pair = new Pair();
    await pair.site.dispatcher(dispatcher, { env: pair.#env });
    await pair.#join('w1', []);
    await pair.#join('w2', worker);
    return pair;
  }

  async #join(name: string, args: readonly string[]): Promise<void> {
    const token = (await this.site.text(['invite', '-o', 'quiet'])).match(/octa[12]\S+/)?.[0] ?? '';
    const directory = this.site.path(`machine-${name}`);
    Feeling.prepare(directory);
    const mounts = 'mount --bind "$1/thermal" /sys/class/thermal; mount --bind "$1/power" /sys/class/power_supply; ';
    const through = ['unshare', '-m', 'sh', '-ec', `${mounts} shift; exec "$@"`, 'sh', directory];
    const where = ['--data-dir', this.site.path(name), '--peer-port', '0', '--join', token, '--sandbox-level', 'none'];
    const node = await this.site.worker(name, ['-j', '2', ...where, ...args], { env: this.#env, through });
    const { workers } = await this.site.get<{ workers: Shown[] }>('/api/v1/workers');
    this.workers.push(new Feeling(node, workers.find((shown) => shown.name === name)?.id ?? '', directory));
  }

  async hear(): Promise<void> {
    await this.site.until('the workers hear each other', async () => {
      const heard = await this.site.text(['peers', '--wait', '500ms', '-o', 'json'], { env: this.#env });
      return ['w1', 'w2'].every((name) => heard.includes(`"${name}"`));
    });
    // So much for whoever asks; what they hear of each other they hear by their beacons.
    await Bun.sleep(2 * beaconIntervalMs);
  }

  async tasks(): Promise<Shown[]> {
    return (await this.site.get<{ tasks: Shown[] }>('/api/v1/tasks')).tasks;
  }

  /** Who has a task that waits, that task, and the other worker. */
  async load(): Promise<{ giver: Feeling; taker: Feeling; waiting: string }> {
    for (let n = 0; n < 5; n++) await this.site.text(['submit', '-o', 'quiet', 'sleep 60']);
    const four = async (): Promise<boolean> =>
      (await this.tasks()).filter(({ status }) => status === 'running').length === 4;
    await this.site.until('four tasks run', four);
    const waits = (await this.tasks()).find(({ status }) => status === 'queued');
    const giver = this.workers.find(({ id }) => id === waits?.worker_id);
    const taker = this.workers.find(({ id }) => id !== waits?.worker_id);
    if (giver === undefined || taker === undefined || waits === undefined) throw new Error('nothing waits anywhere');
    return { giver, taker, waiting: waits.id };
  }

  async placeOf(task: string): Promise<{ readonly worker: string | null; readonly attempt: number }> {
    const found = (await this.tasks()).find(({ id }) => id === task);
    return { worker: found?.worker_id ?? null, attempt: found?.attempt ?? 0 };
  }
}

const causes = {
  'is drained': (pair: Pair, { id }: Feeling) => pair.site.text(['drain', id]),
  'grows hot': (_: Pair, giver: Feeling) => giver.heat(),
  'goes on battery': (_: Pair, giver: Feeling) => giver.unplug(),
} as const;

for (const [what, cause] of Object.entries(causes)) {
  test.skipIf(!canMount)(`a worker that ${what} hands what waits with it to a peer`, async () => {
    const pair = await Pair.of();
    await pair.hear();
    const { giver, taker, waiting } = await pair.load();
    await cause(pair, giver);
    await pair.site.until('it is handed over', () => giver.node.log().includes(said));
    await pair.site.until('it waits there', async () => (await pair.placeOf(waiting)).worker === taker.id);
    expect((await pair.placeOf(waiting)).attempt).toBe(2);
  });
}

for (const side of ['dispatcher', 'worker'] as const) {
  test.skipIf(!canMount)(`with --p2p-enabled false on the ${side}, what waits goes by the dispatcher`, async () => {
    const pair = await Pair.of({ [side]: ['--p2p-enabled', 'false'] });
    const { giver, waiting } = await pair.load();
    await pair.site.text(['drain', giver.id]);
    await pair.site.until('it is taken back', async () => {
      const { worker, attempt } = await pair.placeOf(waiting);
      return attempt > 1 || worker !== giver.id;
    });
    expect(pair.workers.every(({ node }) => !node.log().includes(said))).toBe(true);
  });
}
