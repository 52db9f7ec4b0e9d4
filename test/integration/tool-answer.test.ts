import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { askTool } from '../../src/runtime/tool-answer.ts';
import { sleepers, token, until } from './processes.ts';

test('askTool() gives output, errors and status, and null where there is no such tool', async () => {
  expect(await askTool(['sh', '-c', 'echo out; echo err >&2; exit 3'], 5000)).toEqual({
    status: 3,
    text: 'out\nerr\n',
  });
  expect(await askTool(['no-such-tool-anywhere'], 5000)).toBeNull();
});

test('askTool() ends a tool that takes too long, and says so by its status', async () => {
  expect(await askTool(['sleep', '20'], 50)).toEqual({ status: null, text: '' });
});

test.skipIf(process.platform !== 'linux')('askTool() ends what a tool that takes too long has started', async () => {
  const mark = token();
  expect(await askTool(['sh', '-c', `sleep ${mark} & wait`], 300)).toEqual({ status: null, text: '' });
  await until('what the tool started is gone', () => sleepers(mark).length === 0);
});

test.skipIf(process.platform !== 'linux')('askTool() leaves nothing running when whoever asks exits', async () => {
  const mark = token();
  const module = join(import.meta.dir, '../../src/runtime/tool-answer.ts');
  const script = `
    import { askTool } from ${JSON.stringify(module)};
    void askTool(['sh', '-c', 'sleep ${mark} & wait'], 60_000);
    process.stdin.on('end', () => process.exit(0)).resume();
  `;
  const asking = Bun.spawn([process.execPath, '-e', script], { env: { PATH: process.env.PATH ?? '' }, stdin: 'pipe' });
  await until('the tool runs', () => sleepers(mark).length === 1);
  asking.stdin.end();
  expect(await asking.exited).toBe(0);
  await until('what the tool started is gone', () => sleepers(mark).length === 0);
});

test('askTool() does not wait for what the tool started and left behind', async () => {
  const startedAt = performance.now();
  const answer = await askTool(['sh', '-c', 'sleep 20 & echo $!'], 10_000);
  process.kill(Number(answer?.text), 'SIGKILL');
  expect(answer?.status).toBe(0);
  expect(performance.now() - startedAt).toBeLessThan(5000);
});

test('askTool() keeps no more than it can hold of a tool that does not stop talking', async () => {
  const answer = await askTool(['head', '-c', '20000000', '/dev/zero'], 10_000);
  expect([answer?.status, answer?.text.length]).toEqual([0, 16 * 1024 * 1024]);
});
