/**
 * A path between two hosts that is slow and loses packets, for kernels without netem: a TUN interface in each of two
 * namespaces, and this process between them, which keeps every packet for a while and drops some of them by chance. Linux,
 * as root.
 *
 *   relay.ts NAMESPACE ADDRESS NAMESPACE ADDRESS DELAY_MS LOSS
 *
 * `DELAY_MS` each way, `LOSS` of 0 to 1 each way. Prints `ready` when the path stands, which is gone with the process. Its
 * loop blocks in `poll`, beside the runtime's own: it has to be a process of its own.
 */

import { dlopen, FFIType, ptr } from 'bun:ffi';

const { i32, u64, pointer, cstring } = { ...FFIType, pointer: FFIType.ptr };
const { symbols: libc } = dlopen('libc.so.6', {
  open: { args: [cstring, i32], returns: i32 },
  ioctl: { args: [i32, u64, pointer], returns: i32 },
  poll: { args: [pointer, u64, i32], returns: i32 },
  read: { args: [i32, pointer, u64], returns: i32 },
  write: { args: [i32, pointer, u64], returns: i32 },
});

/** linux/if_tun.h, fcntl.h, poll.h. */
const tunSetInterface = 0x4004_54ca;
const plainTun = 0x1001;
const openForBoth = 0o2 | 0o4000;
const pollIn = 1;

const packetBytesMax = 2048;
/** Packets on their way in one direction at most; further ones are lost, as in a router. */
const packetsMax = 8192;

interface Packet {
  readonly dueAt: number;
  readonly bytes: Uint8Array;
}

/** What goes to one end. */
class Direction {
  readonly packets: Packet[] = [];
  #gone = 0;

  get size(): number {
    return this.packets.length - this.#gone;
  }

  /** The oldest one's; Infinity when there is none. */
  get dueAt(): number {
    return this.packets[this.#gone]?.dueAt ?? Number.POSITIVE_INFINITY;
  }

  shift(): Uint8Array {
    const { bytes } = this.packets[this.#gone] ?? { bytes: new Uint8Array(0) };
    this.#gone += 1;
    if (this.#gone === this.packets.length) {
      this.packets.length = 0;
      this.#gone = 0;
    } else if (this.#gone > packetsMax) {
      this.packets.splice(0, this.#gone);
      this.#gone = 0;
    }
    return bytes;
  }
}

function ip(...args: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(['ip', ...args], { env: { PATH: process.env.PATH ?? '' } });
  if (exitCode !== 0) throw new Error(`ip ${args.join(' ')} ended with ${exitCode}: ${stderr.toString()}`);
}

/** Makes the interface of one end; returns its descriptor. */
function openEnd(namespace: string, address: string): number {
  const fd = libc.open(ptr(Buffer.from('/dev/net/tun\0')) as never, openForBoth);
  const name = `lossy${process.pid}`;
  const request = Buffer.alloc(40);
  request.write(name, 'latin1');
  request.writeUInt16LE(plainTun, 16);
  if (fd < 0 || libc.ioctl(fd, tunSetInterface, ptr(request)) < 0) throw new Error('no TUN interface can be had here');
  // Down and without an address until it is where it belongs.
  ip('link', 'set', name, 'netns', namespace);
  ip('-n', namespace, 'addr', 'add', address, 'dev', name);
  ip('-n', namespace, 'link', 'set', name, 'up', 'txqueuelen', '2000');
  return fd;
}

function relay(ends: readonly [number, number], delayMs: number, loss: number): never {
  const toEnd = [new Direction(), new Direction()] as const;
  const polled = new Int32Array(4);
  const buffer = new Uint8Array(packetBytesMax);
  for (;;) {
    const waitMs = Math.min(toEnd[0].dueAt, toEnd[1].dueAt) - performance.now();
    polled.set([ends[0], pollIn, ends[1], pollIn]);
    libc.poll(ptr(polled), 2, Math.max(0, Math.min(1000, Math.ceil(waitMs))));
    const dueAt = performance.now() + delayMs;
    for (const [fd, direction] of [
      [ends[0], toEnd[1]],
      [ends[1], toEnd[0]],
    ] as const) {
      for (let count = 0; count < 64; count += 1) {
        const length = libc.read(fd, ptr(buffer), packetBytesMax);
        if (length <= 0) break;
        if (Math.random() < loss || direction.size >= packetsMax) continue;
        direction.packets.push({ dueAt, bytes: buffer.slice(0, length) });
      }
    }
    for (const [index, direction] of toEnd.entries()) {
      while (direction.dueAt <= performance.now()) {
        const bytes = direction.shift();
        libc.write(ends[index] ?? -1, ptr(bytes), bytes.length);
      }
    }
  }
}

const [first = '', firstAddress = '', second = '', secondAddress = '', delayMs = '', loss = ''] = process.argv.slice(2);
const ends = [openEnd(first, firstAddress), openEnd(second, secondAddress)] as const;
console.log('ready');
relay(ends, Number(delayMs), Number(loss));
