import { expect, test } from 'bun:test';
import { askTool } from '../../src/runtime/tool-answer.ts';

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
