import { expect, test } from 'bun:test';
import { sentenceOn, troubleOf } from '../../../src/worker/advice.ts';

test('sentenceOn() makes a whole sentence of every detail', () => {
  const on = (detail: string): string => sentenceOn({ code: 'connection_lost', detail }, { by: 'nothing' });
  expect([on('it was silent'), on('Nothing listens there.')]).toEqual(['it was silent.', 'Nothing listens there.']);
});

test('troubleOf() names the addresses that have not answered yet, and what comes next', () => {
  const trouble = { wasJoined: false, remote: 'pi.local:7878', detail: 'No such host.', next: null, running: true };
  const silent = [
    { host: '10.0.0.1', port: 7878 },
    { host: 'fe80::1%eth0', port: 7878 },
  ];
  expect(troubleOf({ ...trouble, silent, waitMs: 210 })).toBe(
    'Cannot join the dispatcher at pi.local:7878: No such host. No answer yet from 10.0.0.1:7878, [fe80::1%eth0]:7878. Trying again in 0.2 s. Running tasks go on.',
  );
});
