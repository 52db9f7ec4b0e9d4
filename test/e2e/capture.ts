/**
 * What goes over the wire between the processes of a site, recorded as a stranger on the network would: by a relay both
 * sides talk through, and by tcpdump where it may be run; and the search for words in that, in the forms in which they
 * might lie there.
 */

import { existsSync, readFileSync } from 'node:fs';
import type { Socket, Subprocess } from 'bun';
import { until } from './site.ts';

/** A relay on loopback that keeps all bytes it passes on. */
export interface Relay {
  readonly port: number;
  /** All bytes so far, each direction of each connection by itself. */
  recorded(): Buffer;
  close(): void;
}

/** One direction of a connection: what came, and what the other side has not taken yet. */
interface Flow {
  readonly bytes: Buffer[];
  to: Socket<Flow> | null;
  pending: Buffer;
  ended: boolean;
}

/** Passes connections on to `port` of this machine. */
export function openRelay(port: number): Relay {
  const flows: Flow[] = [];
  const newFlow = (to: Socket<Flow> | null): Flow => {
    const flow = { bytes: [], to, pending: Buffer.alloc(0), ended: false };
    flows.push(flow);
    return flow;
  };
  const push = (flow: Flow): void => {
    if (flow.to === null) return;
    const taken = flow.to.write(flow.pending);
    flow.pending = flow.pending.subarray(Math.max(0, taken));
    if (flow.ended && flow.pending.length === 0) flow.to.end();
  };
  const handlers = {
    data(socket: Socket<Flow>, chunk: Buffer) {
      const copy = Buffer.from(chunk);
      socket.data.bytes.push(copy);
      socket.data.pending = Buffer.concat([socket.data.pending, copy]);
      push(socket.data);
    },
    // What waits for this socket is in the flow of the other one.
    drain: (socket: Socket<Flow>) => flows.filter(({ to }) => to === socket).forEach(push),
    close(socket: Socket<Flow>) {
      socket.data.ended = true;
      push(socket.data);
    },
    error() {},
  };
  const listener = Bun.listen<Flow>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      ...handlers,
      async open(socket) {
        socket.data = newFlow(null);
        try {
          socket.data.to = await Bun.connect({ hostname: '127.0.0.1', port, data: newFlow(socket), socket: handlers });
          push(socket.data);
        } catch {
          socket.end();
        }
      },
    },
  });
  return {
    port: listener.port,
    recorded: () => Buffer.concat(flows.flatMap(({ bytes }) => [...bytes, Buffer.from('\n')])),
    close: () => listener.stop(true),
  };
}

/** tcpdump on the loopback of this machine. */
export interface Capture {
  /** Ends it; all packets, headers included. */
  stop(): Promise<Buffer>;
}

/** Starts to record all packets from or to these ports; null where that is not possible. */
export async function startCapture(file: string, ports: readonly number[]): Promise<Capture | null> {
  const tcpdump = ['/usr/bin/tcpdump', '/usr/sbin/tcpdump'].find((path) => existsSync(path));
  if (tcpdump === undefined || process.getuid?.() !== 0 || process.platform !== 'linux') return null;
  const filter = ports.map((port) => `tcp port ${port}`).join(' or ');
  const child: Subprocess<'ignore', 'ignore', 'pipe'> = Bun.spawn(
    [tcpdump, '-i', 'lo', '-s', '0', '-U', '-B', '65536', '--immediate-mode', '-Z', 'root', '-w', file, filter],
    { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' },
  );
  let said = '';
  const heard = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) said += decoder.decode(chunk, { stream: true });
  })();
  await until('tcpdump listens', () => said.includes('listening on') || child.exitCode !== null);
  if (child.exitCode !== null) return null;
  return {
    async stop() {
      child.kill('SIGINT');
      await Promise.all([child.exited, heard]);
      return readFileSync(file);
    },
  };
}

/** In which forms `word` is in `bytes`: as it is, as hex digits, as base64 from any position of its three. */
export function formsIn(bytes: Buffer, word: string | Uint8Array): string[] {
  const raw = Buffer.from(typeof word === 'string' ? Buffer.from(word) : word);
  const forms: [name: string, form: string | Buffer][] = [
    ['raw', raw],
    ['UTF-16', Buffer.from(raw.toString('latin1'), 'utf16le')],
    ['hex', raw.toString('hex')],
    ['HEX', raw.toString('hex').toUpperCase()],
  ];
  for (const before of [0, 1, 2]) {
    // Digits that depend on what stands before or behind are left out.
    const from = Math.ceil((before * 8) / 6);
    const to = Math.floor(((before + raw.length) * 8) / 6);
    const padded = Buffer.concat([Buffer.alloc(before), raw]);
    forms.push([`base64+${before}`, padded.toString('base64').slice(from, to)]);
    forms.push([`base64url+${before}`, padded.toString('base64url').slice(from, to)]);
  }
  return forms.filter(([, form]) => bytes.includes(form)).map(([name]) => name);
}
