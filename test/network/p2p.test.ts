/**
 * Peer to peer between devices of a network, with the compiled file: no dispatcher runs, and later no multicast passes.
 */

import { afterEach, describe, expect, test } from 'bun:test';
import { executable } from '../e2e/executable.ts';
import { until } from '../e2e/site.ts';
import { cannotNetwork, closeLans, type Host, type Inside, openLan, type Ran } from './namespaces.ts';

const skipped = cannotNetwork('peer to peer on a local network', ['nft']) !== null;

afterEach(closeLans);

/** The compiled file on a device. */
class Device {
  private readonly host: Host;
  private readonly file: string;

  constructor(host: Host, file: string) {
    this.host = host;
    this.file = file;
  }

  run(...args: readonly string[]): Ran {
    return this.host.run(this.file, ...args, '--data-dir', this.host.directory);
  }

  runOnPeer(...args: readonly string[]): Ran {
    return this.host.run(this.file, 'run', '--p2p', '--no-stdin', '--data-dir', this.host.directory, ...args);
  }

  start(...args: readonly string[]): Inside {
    return this.host.start([this.file, ...args, '--data-dir', this.host.directory], { HOME: this.host.directory });
  }

  startWorker(name: string, ...args: readonly string[]): Inside {
    return this.start('worker', '--name', name, '--sandbox-level', 'none', ...args);
  }

  /** Names of the workers it hears. */
  hears(): string[] {
    const { peers } = JSON.parse(this.run('peers', '-o', 'json', '--wait', '1s').stdout) as {
      peers: { name: string; role: string }[];
    };
    return peers.filter(({ role }) => role === 'worker').map(({ name }) => name);
  }

  /** Lets nothing in that is not sent to this device alone. */
  deafen(): void {
    const rules = 'type filter hook input priority 0; }; add rule inet t i meta pkttype { multicast, broadcast } drop';
    expect(this.host.run('nft', `add table inet t; add chain inet t i { ${rules}`).stderr).toBe('');
  }
}

async function openDevices(count: number): Promise<Device[]> {
  const file = await executable();
  return openLan(count).hosts.map((host) => new Device(host, file));
}

describe.skipIf(skipped)('peer to peer between devices', () => {
  test('a task goes to another device with no dispatcher, also when that was started anew and no multicast passes', async () => {
    const [a, b, c] = (await openDevices(3)) as [Device, Device, Device];
    const dispatcher = a.start('dispatcher');
    await dispatcher.line(/dispatcher ready/);
    const token = (): string => a.run('invite', '-o', 'quiet').stdout.match(/octa[12]\S+/)?.[0] ?? '';
    const workers = [b.startWorker('wb', '--join', token()), c.startWorker('wc', '--join', token(), '--label', 'on=c')];
    await Promise.all(workers.map((worker) => worker.line(/Joined the dispatcher/)));
    await until('both are heard', () => b.hears().join() === 'wb,wc');
    await dispatcher.end('SIGKILL');
    for (const device of [a, b]) {
      const ran = device.runOnPeer('--label', 'on=c', 'echo $OCTASKLY_WORKER; exit 3');
      expect(ran).toEqual({ status: 3, stdout: 'wc\n', stderr: '' });
    }
    // Whom it heard is kept a moment later, and when it ends.
    for (const worker of workers) await worker.end('SIGTERM');
    for (const device of [a, b, c]) device.deafen();
    const again = [b.startWorker('wb', '-v'), c.startWorker('wc', '-v', '--label', 'on=c')];
    await Promise.all(again.map((worker) => worker.line(/beacons are sent and heard/)));
    await until('wc is heard', () => b.hears().includes('wc'));
    expect(b.runOnPeer('--label', 'on=c', 'echo $OCTASKLY_WORKER').stdout).toBe('wc\n');
  }, 60_000);
});
