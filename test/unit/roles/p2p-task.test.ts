import { expect, test } from 'bun:test';
import type { PeerTask } from '../../../src/cli/context.ts';
import { noDemand } from '../../../src/core/isolation.ts';
import { PeerRun } from '../../../src/roles/p2p-task.ts';
import type { PeerMessage } from '../../../src/wire/peer-messages.ts';
import type { Peer } from '../../../src/worker/peer.ts';
import { Shell } from '../cli/terminal.ts';

const amounts = { cpuCores: 0, memoryMb: 0, gpu: 0, labels: {}, platform: null, arch: null };
const spec: PeerTask['spec'] = {
  ...{ command: 'x', argv: null, name: null, priority: 0, workdir: null, timeoutMs: 1000, env: {}, inputs: [] },
  ...{ outputs: [], outputsAt: 'dispatcher', maxOutputBytes: 3, requires: { ...amounts, isolation: noDemand } },
  stdin: { kind: 'closed' },
};

/** A run with a peer that does what the test says. */
function begun() {
  const shell = new Shell();
  const sent: PeerMessage[] = [];
  const peer: Peer = {
    ...{ publicKey: 'k', id: 'w', name: 'wb', remote: 'r', dialMs: 1, congested: false, blobsCongested: false },
    send: (message) => void sent.push(message),
    close: () => undefined,
  };
  const terminal = shell.terminal();
  const run = new PeerRun(peer, { spec, terminal, dataDir: '/', discoveryPort: 5555, interfaces: [] });
  const end = run.toEnd();
  const [asked] = sent;
  const taskId = asked?.kind === 'run' ? asked.task.taskId : '';
  return { shell, peer, run, end, taskId };
}

test('PeerRun gives a task to nobody else when the link breaks before the answer: it may have begun', async () => {
  const { shell, peer, run, end } = begun();
  run.onPeerEnd(peer);
  expect(await end).toEqual({ status: 125 });
  expect(shell.stderr.text).toContain('The link with wb broke');
});

test('PeerRun lets another be asked when the peer refuses', async () => {
  const { peer, run, end, taskId } = begun();
  run.onMessage(peer, { kind: 'runAnswered', taskId, refusal: 'All of its slots are taken.' });
  expect(await end).toEqual({ refusal: 'All of its slots are taken.' });
});

test('PeerRun says how much of the output was discarded', async () => {
  const { shell, peer, run, end, taskId } = begun();
  run.onMessage(peer, { kind: 'runAnswered', taskId, refusal: null });
  const bytes = { stdoutBytes: 3, stderrBytes: 0, discardedBytes: 7, writtenBytes: null };
  const usage = { durationMs: 1, cpuMs: null, memoryPeakBytes: null, sandboxLevel: null, ...bytes };
  const outcome = { kind: 'exited', exitCode: 0 } as const;
  const rest = { stdout: new TextEncoder().encode('abc'), stderr: new Uint8Array(0), outputs: [], outputProblems: [] };
  const entry = { kind: 'ended', taskId, attempt: 1, startedAt: 0, outcome, usage, ...rest } as const;
  run.onMessage(peer, { kind: 'report', entries: [entry] });
  expect(await end).toEqual({ status: 0 });
  expect(shell.stdout.text).toBe('abc');
  expect(shell.stderr.text).toContain('7 bytes of standard output beyond --max-output (3 bytes) were discarded');
});
