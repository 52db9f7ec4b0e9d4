/**
 * Workers that run nothing: over real, encrypted links they give signs of life and report every attempt as ended at once.
 * So what is measured with them is the dispatcher: submission, scheduling, wire and storage. Arguments: port, secret,
 * workers, slots.
 */

import { unknownIsolation } from '../../src/core/isolation.ts';
import { nativeCrypto } from '../../src/runtime/crypto.ts';
import { keySet } from '../../src/runtime/keys.ts';
import { createLinks } from '../../src/runtime/links.ts';
import type { Assignment } from '../../src/wire/messages.ts';

const [port = '', secret = '', workers = '1', slots = '64'] = process.argv.slice(2);
const proof = { by: 'secret', psk: keySet(secret).psk } as const;
const nothing = new Uint8Array(0);
const vitals = {
  ...{ load1: 0.1, memoryFreeMb: 1024, running: 0 },
  ...{ batteryPercent: null, charging: null, temperatureC: null },
};

function ended({ taskId, attempt }: Assignment) {
  const usage = {
    durationMs: 0.1,
    cpuMs: 0.1,
    memoryPeakBytes: 1_000_000,
    stdoutBytes: 0,
    stderrBytes: 0,
    discardedBytes: 0,
    writtenBytes: null,
    sandboxLevel: null,
  };
  const outcome = { kind: 'exited', exitCode: 0 } as const;
  return {
    kind: 'ended',
    taskId,
    attempt,
    startedAt: Date.now(),
    outcome,
    usage,
    stdout: nothing,
    stderr: nothing,
    outputs: [],
    outputProblems: [],
  } as const;
}

for (let n = 1; n <= Number(workers); n++) {
  // A key each: a key stays with its worker.
  const links = createLinks({ crypto: nativeCrypto, staticKeypair: nativeCrypto.generateKeypair() });
  const dialled = await links.dial({ host: '127.0.0.1', port: Number(port), proof }, (link) => {
    link.send({
      kind: 'join',
      held: [],
      worker: {
        id: `simulated-${n}`,
        name: `simulated-${n}`,
        processId: `${process.pid}`,
        version: '0',
        slots: Number(slots),
        cpuCores: 64,
        memoryMb: 65_536,
        gpu: 0,
        labels: {},
        platform: 'linux',
        arch: 'x64',
        isolation: unknownIsolation,
        // Nobody dials it: it is told of the others, as a worker that takes peers is.
        peerPort: 1,
        program: null,
      },
    });
    return {
      onMessage: (message) => {
        if (message.kind === 'assign') link.send({ kind: 'report', entries: message.attempts.map(ended) });
        if (message.kind !== 'welcome') return;
        const beat = setInterval(() => link.send({ kind: 'heartbeat', vitals }), message.heartbeatMs);
        beat.unref();
      },
      onDrain: () => undefined,
      onEnd: () => process.exit(0),
    };
  });
  if (!dialled.ok) throw new Error(dialled.end.detail);
}
