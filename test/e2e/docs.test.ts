/**
 * Every command of the documentation, run as a reader would: page by page, in their order, by the compiled file. What
 * cannot run here carries its reason in the page, and its options are checked all the same (`test/unit/docs.test.ts`).
 */

import { afterAll, expect, test } from 'bun:test';
import { type DocsPage, docsPages, isCommands } from '../docs-blocks.ts';
import { DocsSite, type Done, isAlone } from './docs-site.ts';

/** Pages that run beside each other. */
const besideMax = 3;
const waiting: (() => void)[] = [];
let running = 0;
/** Sites that wait for a page: to start one takes longer than the commands of most pages. */
const spare: DocsSite[] = [];

/** Programs the commands call beside `octaskly`, that not every system has. */
const needed = ['curl', 'jq', 'script', 'timeout', 'xz'].filter((name) => Bun.which(name) === null);
if (needed.length > 0) console.warn(`not tested: commands of the documentation: ${needed.join(', ')} is not installed`);

/** Runs the commands of a page when it is its turn. */
async function runPage(page: DocsPage): Promise<Awaited<ReturnType<DocsSite['run']>>> {
  if (running === besideMax) await new Promise<void>((resolve) => void waiting.push(resolve));
  else running += 1;
  const isOwn = isAlone(page);
  const site = (isOwn ? undefined : spare.pop()) ?? new DocsSite(page);
  try {
    return await site.run(page);
  } finally {
    if (isOwn) await site.close();
    else spare.push(site);
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }
}

afterAll(async () => {
  for (const site of spare.splice(0)) await site.close();
}, 60_000);

/** Whether a line of a page is what was printed; `…` stands for anything. */
function isLike(shown: string, printed: string): boolean {
  const [pattern, line] = [shown, printed].map((text) => text.trim().replace(/\s+/g, ' ')) as [string, string];
  const parts = pattern.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(line);
}

/** The first line of what a page shows that was not printed, in this order; null: all were. */
function notPrinted(shown: string, printed: string): string | null {
  const lines = printed.split('\n');
  for (const line of shown.trimEnd().split('\n')) {
    const at = lines.findIndex((one) => isLike(line, one));
    if (at < 0) return line;
    lines.splice(0, at + 1);
  }
  return null;
}

/** Calls that did not end as the page says. */
function wrong({ block, command, calls, output }: Done): string[] {
  return calls
    .filter((call) => ![0, block.endsWith].includes(Number.parseInt(call, 10)))
    .map((call) => `${block.page}:${block.line}: ${command}\n  ended with ${call}\n${output}`);
}

function hasCommands({ blocks }: DocsPage): boolean {
  return blocks.some((block) => isCommands(block) && block.language === 'sh' && block.notRun === null);
}

const lengthOf = ({ blocks }: DocsPage): number => blocks.filter(isCommands).length;
/** The longest first, so that none is waited for alone at the end. */
const pages = docsPages().toSorted((a, b) => lengthOf(b) - lengthOf(a));

test.concurrent.skipIf(needed.length > 0).each(pages.filter(hasCommands).map((page) => [page.path, page] as const))(
  'the commands of %s do what the page says',
  async (_path, page) => {
    const { done, status } = await runPage(page);
    expect(done.flatMap(wrong)).toEqual([]);
    const last = done.at(-1);
    expect({ status, last: status === 0 ? null : last }).toEqual({ status: 0, last: null });
    for (const [n, block] of page.blocks.entries()) {
      const above = page.blocks[n - 1];
      if (block.language !== 'output' || above === undefined || above.notRun !== null) continue;
      const printed = done
        .filter((one) => one.block === above)
        .map(({ output }) => output)
        .join('');
      expect(notPrinted(block.text, printed), `${page.path}:${block.line}\n${printed}`).toBeNull();
    }
  },
  // Most of it is waiting for its turn.
  600_000,
);

test('what is not run says why', () => {
  for (const { page, line, notRun } of pages.flatMap(({ blocks }) => blocks)) {
    if (notRun !== null) console.log(`not run: ${page}:${line}: ${notRun}`);
  }
});
