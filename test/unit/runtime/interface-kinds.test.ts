/** Which interfaces are used, by the names Linux, Android, macOS and Windows give them. */

import { describe, expect, test } from 'bun:test';
import { leftOut } from '../../../src/runtime/interface-kinds.ts';

const plain = { loopback: false, pointToPoint: false, member: false };

const used = [
  // Linux: by kernel, by bus, by hand; bridges of the home network.
  ...[
    'eth0',
    'enp3s0',
    'eno1',
    'ens18',
    'wlan0',
    'wlp2s0',
    'enx001122334455',
    'end0',
    'bond0',
    'br0',
    'bridge0',
    'vmbr0',
  ],
  // Android and phones that share their network.
  ...['wlan1', 'rndis0', 'usb0', 'swlan0'],
  // macOS.
  ...['en0', 'en7', 'bridge0'],
  // Windows; the external switch of Hyper-V carries the home network.
  ...['Ethernet', 'Ethernet 2', 'Wi-Fi', 'WLAN', 'Local Area Connection', 'vEthernet (External Switch)'],
];

const left: Readonly<Record<string, readonly string[]>> = {
  'this machine alone': ['lo', 'lo0', 'Loopback Pseudo-Interface 1'],
  'a network of containers': [
    ...['docker0', 'docker_gwbridge', 'br-1f2e3d4c5b6a', 'veth12ab34c', 'podman0', 'lxcbr0', 'lxc1234', 'lxdbr0'],
    ...['cni0', 'cni-podman0', 'flannel.1', 'cali0123456789a', 'vEthernet (WSL)', 'vEthernet (nat)'],
  ],
  'a network of virtual machines': [
    ...['virbr0', 'virbr0-nic', 'vnet0', 'vmnet8', 'vmenet0', 'vboxnet0', 'bridge100', 'vEthernet (Default Switch)'],
    ...['VMware Network Adapter VMnet8', 'VirtualBox Host-Only Network'],
  ],
  'a tunnel': ['tun0', 'tap0', 'wg0', 'wg-home', 'utun3', 'ipsec0', 'gif0', 'stf0', 'sit0', 'nordlynx', 'proton0'],
  'a VPN': ['tailscale0', 'Tailscale', 'ztabcdefgh', 'ZeroTier One [1234]', 'OpenVPN TAP-Windows6'],
  'a line to a provider': ['ppp0', 'wwan0', 'wwp0s20u4', 'rmnet_data0', 'ccmni0', 'pdp_ip0', 'Cellular'],
  'a link between two devices alone': ['awdl0', 'llw0', 'anpi0', 'p2p0', 'Bluetooth Network Connection'],
  'an interface without a network': ['dummy0', 'ifb0'],
};

describe('leftOut()', () => {
  test.each(used)('uses %s', (name) => {
    expect(leftOut({ ...plain, name }, [])).toBeNull();
  });

  for (const [reason, names] of Object.entries(left)) {
    test.each([...names])(`takes %s for ${reason}`, (name) => {
      expect(leftOut({ ...plain, name }, [])).toBe(reason);
    });
  }

  test('goes by flags where a name says nothing', () => {
    expect(leftOut({ ...plain, name: 'home', pointToPoint: true }, [])).toBe('a line with one other end');
    expect(leftOut({ ...plain, name: 'self', loopback: true }, [])).toBe('this machine alone');
    expect(leftOut({ ...plain, name: 'eth0', pointToPoint: null }, [])).toBeNull();
    expect(leftOut({ ...plain, name: 'eth0', member: true }, [])).toBe('a part of a bridge or of a bond');
  });

  test('uses those that are named, whatever they are, and no other', () => {
    expect(leftOut({ ...plain, name: 'wg0', pointToPoint: true, member: true }, ['wg0', 'lo'])).toBeNull();
    expect(leftOut({ ...plain, name: 'lo', loopback: true }, ['wg0', 'lo'])).toBeNull();
    expect(leftOut({ ...plain, name: 'eth0' }, ['wg0', 'lo'])).toBe('not among those named');
  });
});
