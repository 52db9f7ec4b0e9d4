/** What stands in the place of Bun on 32-bit ARM keeps the contracts, under the Node of this machine. */

import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleForNode } from '../../scripts/release/node-bundle.ts';
import { root } from '../../scripts/steps.ts';
import { lacking, notTested } from './notices.ts';
import { isThorough } from './thorough.ts';

const node = Bun.which('node');
if (isThorough && node === null) notTested('the contracts on Node', lacking(['node']), 'armv7');

test.skipIf(!isThorough || node === null)(
  'a worker on Node keeps the contracts of launcher, transport and blobs',
  async () => {
    const { script } = await bundleForNode({
      ...{ root, entry: 'test/platform/contracts-on-node.ts' },
      more: { 'bun:test': 'test/platform/bun-test-on-node.ts' },
    });
    const directory = mkdtempSync(join(tmpdir(), 'octaskly-node-'));
    try {
      const file = join(directory, 'contracts.cjs');
      writeFileSync(file, script);
      const run = Bun.spawn([node ?? '', file], {
        ...{ cwd: directory, stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' },
        env: { PATH: process.env.PATH ?? '', HOME: directory },
      });
      const report = await new Response(run.stdout).text();
      const failed = report.split('\n').filter((line) => /^ *not ok /.test(line));
      expect([failed, await run.exited]).toEqual([[], 0]);
      expect(Number(/^# pass (\d+)$/m.exec(report)?.[1])).toBeGreaterThan(90);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
  300_000,
);
