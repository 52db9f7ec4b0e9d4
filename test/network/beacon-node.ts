/**
 * A process of the network tests: beacons as the product runs them, of the node named by its first argument, with the
 * addresses that follow known from earlier. Tells what it knows by lines of JSON, four times a second.
 */

import { openBeacons } from '../../src/runtime/beacons.ts';
import { systemClock, systemRandom } from '../../src/runtime/clock.ts';
import { sampleBeacon, sampleKey } from '../unit/discovery/beacon-samples.ts';

const [id = 'node', ...known] = process.argv.slice(2);
const node = openBeacons({
  ...{ id, port: 5555, interfaces: [], clock: systemClock, random: systemRandom },
  keys: () => [sampleKey(1)],
  self: () => sampleBeacon({ id, name: id }),
  known: known.map((address) => ({ address, port: 5555 })),
  onChange: () => {},
});
process.once('SIGTERM', () => void node.close().then(() => process.exit(0)));
await node.opened;
setInterval(() => {
  const peers = node.peers.all().map((peer) => `${peer.id}@${peer.from.address}`);
  process.stdout.write(`${JSON.stringify({ peers, interfaces: node.interfaces, ...node.counts })}\n`);
}, 250);
