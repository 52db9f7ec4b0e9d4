import { describe, expect, test } from 'bun:test';
import { nativeCrypto } from '../../../src/runtime/crypto.ts';
import { dispatcherDialect, workerDialect } from '../../../src/wire/dialects.ts';
import { type Lane, laneOf, lanes } from '../../../src/wire/lanes.ts';
import type { DispatcherMessage, WorkerMessage } from '../../../src/wire/messages.ts';
import { Session, type SessionEnd } from '../../../src/wire/session.ts';
import { dialler, keys, listener } from './pairing.ts';

interface Sent {
  readonly lane: Lane;
  readonly frame: Uint8Array;
}

/** A worker's and a dispatcher's session over several lanes, and what waits between them. */
function laned(of: readonly Lane[] = lanes) {
  const out = { worker: [] as Sent[], dispatcher: [] as Sent[] };
  const heard = { worker: [] as DispatcherMessage[], dispatcher: [] as WorkerMessage[] };
  const ends = { worker: [] as SessionEnd[], dispatcher: [] as SessionEnd[] };
  const worker = new Session<WorkerMessage, DispatcherMessage>({
    ...{ side: dialler(), crypto: nativeCrypto, staticKeypair: keys.worker, dialect: workerDialect },
    sink: {
      transmit: (frame, lane) => out.worker.push({ lane, frame }),
      onOpen() {},
      onMessage: (message) => heard.worker.push(message),
      onEnd: (end) => ends.worker.push(end),
    },
  });
  const dispatcher = new Session<DispatcherMessage, WorkerMessage>({
    ...{ side: listener(), crypto: nativeCrypto, staticKeypair: keys.dispatcher, dialect: dispatcherDialect },
    sink: {
      transmit: (frame, lane) => out.dispatcher.push({ lane, frame }),
      onOpen() {},
      onMessage: (message) => heard.dispatcher.push(message),
      onEnd: (end) => ends.dispatcher.push(end),
    },
  });
  worker.start(of);
  dispatcher.start(of);
  return { worker, dispatcher, out, heard, ends };
}

type Pair = ReturnType<typeof laned>;

function settle({ worker, dispatcher, out }: Pair): void {
  while (out.worker.length + out.dispatcher.length > 0) {
    for (const { frame, lane } of out.worker.splice(0)) dispatcher.receive(frame, lane);
    for (const { frame, lane } of out.dispatcher.splice(0)) worker.receive(frame, lane);
  }
}

function open(of?: readonly Lane[]): Pair {
  const pair = laned(of);
  settle(pair);
  expect([pair.worker.phase, pair.dispatcher.phase]).toEqual(['open', 'open']);
  return pair;
}

const output: WorkerMessage = {
  ...{ kind: 'output', taskId: '01hxyz456789', attempt: 1, stream: 'stdout', offset: 0 },
  data: new Uint8Array(3),
};
const refused: WorkerMessage = { kind: 'blobRefused', blob: `sha256:${'a'.repeat(64)}`, detail: 'not here' };

describe('laneOf()', () => {
  test('keeps together what has to stay in order', () => {
    const output = ['adopted', 'output', 'report', 'stdinTaken', 'handedOver', 'leaving', 'goodbye', 'runAnswered'];
    expect(new Set(output.map((kind) => laneOf({ kind })))).toEqual(new Set(['output']));
    const control = [
      'join',
      'heartbeat',
      'assign',
      'stdin',
      'resize',
      'ack',
      'cancel',
      'granted',
      'holders',
      'alive',
      'run',
    ];
    expect(new Set(control.map((kind) => laneOf({ kind })))).toEqual(new Set(['control']));
    const blobs = ['blobWanted', 'blobData', 'blobRefused', 'blobAsked', 'blobHere'];
    expect(new Set(blobs.map((kind) => laneOf({ kind })))).toEqual(new Set(['blobs']));
  });
});

describe('a session over several lanes', () => {
  test('shakes hands on control alone; then the dialler opens each further lane', () => {
    const pair = laned();
    const seen: Lane[] = [];
    for (let turn = 0; turn < 8; turn++) {
      for (const { frame, lane } of pair.out.worker.splice(0)) {
        if (pair.worker.phase === 'open') seen.push(lane);
        else expect(lane).toBe('control');
        pair.dispatcher.receive(frame, lane);
      }
      for (const { frame, lane } of pair.out.dispatcher.splice(0)) {
        expect(lane).toBe('control');
        pair.worker.receive(frame, lane);
      }
    }
    expect(seen).toEqual(['output', 'blobs']);
    expect(pair.heard.dispatcher).toEqual([]);
  });

  test('sends each message on its lane, whatever the others wait for', () => {
    const pair = open();
    for (const message of [output, { kind: 'leaving' } as const, refused]) pair.worker.send(message);
    pair.dispatcher.send({ kind: 'alive' });
    expect(pair.out.worker.map(({ lane }) => lane)).toEqual(['output', 'output', 'blobs']);
    // The lanes run ahead of each other.
    pair.out.worker.reverse();
    const [blob, second, first] = pair.out.worker.splice(0);
    for (const sent of [blob, first, second]) if (sent !== undefined) pair.dispatcher.receive(sent.frame, sent.lane);
    expect(pair.heard.dispatcher).toEqual([refused, output, { kind: 'leaving' }]);
    settle(pair);
    expect(pair.heard.worker).toEqual([{ kind: 'alive' }]);
  });

  test('sends everything on control where there is nothing else', () => {
    const pair = open(['control']);
    pair.worker.send(output);
    pair.worker.send(refused);
    expect(pair.out.worker.map(({ lane }) => lane)).toEqual(['control', 'control']);
    settle(pair);
    expect(pair.heard.dispatcher).toEqual([output, refused]);
  });

  test('ends as forged when a frame is moved to another lane, or left out, or repeated', () => {
    for (const tamper of [
      ([sent]: Sent[]) => [{ frame: sent?.frame ?? new Uint8Array(), lane: 'blobs' as const }],
      ([sent]: Sent[]) => [{ frame: sent?.frame ?? new Uint8Array(), lane: 'control' as const }],
      ([, second]: Sent[]) => (second === undefined ? [] : [second]),
      ([first]: Sent[]) => (first === undefined ? [] : [first, first]),
    ]) {
      const pair = open();
      pair.worker.send(output);
      pair.worker.send(output);
      for (const { frame, lane } of tamper(pair.out.worker.splice(0))) pair.dispatcher.receive(frame, lane);
      expect(pair.ends.dispatcher.map(({ code }) => code)).toEqual(['forged']);
    }
  });

  test('ends as malformed when a lane speaks before the link is open, as forged when it is opened as another one', () => {
    const early = laned();
    early.dispatcher.receive(new Uint8Array(9), 'blobs');
    expect(early.ends.dispatcher.map(({ code }) => code)).toEqual(['malformed']);

    const pair = laned();
    for (let turn = 0; turn < 8 && pair.worker.phase !== 'open'; turn++) {
      for (const { frame, lane } of pair.out.worker.splice(0)) pair.dispatcher.receive(frame, lane);
      for (const { frame, lane } of pair.out.dispatcher.splice(0)) pair.worker.receive(frame, lane);
    }
    // What opens `output`, on `blobs`.
    const [greeting] = pair.out.worker.splice(0);
    if (greeting !== undefined) pair.dispatcher.receive(greeting.frame, 'blobs');
    expect(pair.ends.dispatcher.map(({ code }) => code)).toEqual(['forged']);
  });

  test('ends in good order only between two frames of every lane', () => {
    const pair = open();
    pair.worker.send(refused);
    const [sent] = pair.out.worker.splice(0);
    pair.dispatcher.receive(sent?.frame.subarray(0, 9) ?? new Uint8Array(), 'blobs');
    pair.dispatcher.endOfInput();
    expect(pair.ends.dispatcher.map(({ code }) => code)).toEqual(['connection_lost']);
  });
});
