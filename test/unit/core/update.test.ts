import { expect, test } from 'bun:test';
import { compareVersions, judgeVersion, orderRefusal, versionPattern } from '../../../src/core/update.ts';

test('compareVersions() orders as Semantic Versioning 2.0.0 does, numbers as numbers and what comes before a release first', () => {
  const ordered = ['0.9.9', '1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta', '1.0.0-beta.2', '1.0.0-beta.11'];
  const all = [...ordered, '1.0.0-rc.1', '1.0.0', '1.0.1', '1.2.0', '1.10.0', '2.0.0'];
  for (const [i, a] of all.entries()) {
    for (const [j, b] of all.entries()) {
      expect([a, b, Math.sign(compareVersions(a, b))]).toEqual([a, b, Math.sign(i - j)]);
    }
  }
  expect(all.every((version) => versionPattern.test(version))).toBe(true);
  for (const none of ['1', '1.2', 'v1.2.3', '1.2.3 ', '1.2.3-', '1.2.3\n'])
    expect(versionPattern.test(none)).toBe(false);
});

test('judgeVersion() never goes back unless that is meant', () => {
  expect(judgeVersion('1.0.0', '1.0.0', false)).toBe('same');
  expect(judgeVersion('1.0.0', '1.0.1', false)).toBe('newer');
  expect(judgeVersion('1.0.0', '1.0.0-rc.1', false)).toBe('refused');
  expect(judgeVersion('1.0.0', '0.9.0', true)).toBe('older');
});

test('orderRefusal() says why a worker does not obey, and null when it does', () => {
  const present = { version: '1.0.0', target: 'linux-arm64', refusal: null };
  const order = { version: '1.1.0', target: 'linux-arm64', allowDowngrade: false };
  expect(orderRefusal(order, present)).toBeNull();
  expect(orderRefusal(order, { ...present, refusal: 'it runs from its sources' })).toContain(
    'it runs from its sources.',
  );
  expect(orderRefusal({ ...order, target: 'linux-x64' }, present)).toBe(
    'The program is for linux-x64, and this is linux-arm64.',
  );
  expect(orderRefusal({ ...order, version: '0.9.0' }, present)).toContain('which is later than 0.9.0');
  expect(orderRefusal({ ...order, version: '0.9.0', allowDowngrade: true }, present)).toBeNull();
});
