/**
 * A function of one's own over the cluster, with types: the words of many texts, counted side by side, within a time limit.
 *
 *     bun examples/typed.ts     (or: deno run --allow-net --allow-env examples/typed.ts)
 */

import { type MapResult, Octaskly, type TaskPlan } from 'octaskly';

interface Text {
  readonly title: string;
  readonly words: string;
}

const plan = ({ title, words }: Text): TaskPlan => ({
  name: title,
  command: ['wc', '-w'],
  stdin: words,
  timeout: 30,
  requires: { platform: 'linux' },
  tags: { project: 'words' },
});

async function countWords(
  octaskly: Octaskly,
  texts: Iterable<Text>,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const results: AsyncIterable<MapResult<Text>> = octaskly.map(plan, texts, { signal });
  for await (const { input, output } of results) counts.set(input.title, Number(output.orThrow().stdout));
  return counts;
}

const texts = [
  { title: 'short', words: 'one two' },
  { title: 'longer', words: 'one two three four' },
];
const counts = await countWords(new Octaskly(), texts, AbortSignal.timeout(60_000));
for (const { title } of texts) console.log(`${title}: ${counts.get(title)} words`);
