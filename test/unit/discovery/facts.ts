/** Facts of a healthy network, as `doctor net` would find them, for tests to change. */

import type { HostFacts, MulticastFacts, NetworkFacts } from '../../../src/discovery/network-facts.ts';

export const ownFingerprint = 'SHA256:own';

export function probe(changed: Partial<MulticastFacts> = {}): MulticastFacts {
  return {
    ...{ interfaceName: 'eth0', address: '10.0.0.5', group: 'mdns', family: 4 },
    ...{ failure: null, heardOwn: true, heardOthers: ['10.0.0.9'] },
    ...changed,
  };
}

export function healthy(changed: Partial<NetworkFacts> = {}): NetworkFacts {
  return {
    ...{ platform: 'linux', program: '/opt/octaskly', protocolVersion: 4, discovery: true, wantedInterfaces: [] },
    beaconPort: 5555,
    peerPort: 7879,
    ports: [
      { protocol: 'tcp', number: 7878, purpose: 'workers' },
      { protocol: 'udp', number: 5353, purpose: 'Multicast DNS' },
    ],
    interfaces: [
      { name: 'eth0', addresses: ['10.0.0.5/24'], leftOut: null },
      { name: 'docker0', addresses: ['172.17.0.1/16'], leftOut: 'a network of containers' },
    ],
    multicast: [probe(), probe({ group: 'beacons' })],
    ...{ neighbours: [], gateway: '10.0.0.1', firewalls: [], found: [], belonging: null, beacons: null, host: null },
    ...changed,
  };
}

/** A dispatcher that answers and is announced by `announced`. */
export function reached(changed: Partial<HostFacts> = {}): HostFacts {
  return {
    ...{ host: 'box', port: 7878, apiPort: 3000, addresses: ['10.0.0.7'], unresolved: null, address: '10.0.0.7' },
    ...{ neighbour: null, peerOf: null, beaconAnswered: null },
    ...{ isSelf: false, sameNetwork: 'eth0', reach: 'open', apiReach: 'open', clockAheadMs: 300 },
    handshake: { outcome: 'open', detail: '', fingerprint: ownFingerprint },
    ...changed,
  };
}

export const announced: NetworkFacts['found'][number] = {
  ...{ instance: 'box', host: 'octaskly-1.local', port: 7878, addresses: ['10.0.0.7'], interfaces: ['eth0'] },
  ...{ fingerprint: ownFingerprint, cluster: '0123456789abcdef', protocol: 4 },
};
