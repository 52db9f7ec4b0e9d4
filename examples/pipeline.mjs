/**
 * Tasks that need each other: files go from one to the next without passing through here, and a batch keeps its own order.
 *
 *     node examples/pipeline.mjs     (deno: --allow-net --allow-env)
 */

import { Octaskly } from 'octaskly';

const octaskly = new Octaskly();

// What this one leaves is the input of others, wherever they run.
const source = await octaskly.submit('seq 1 1000 > numbers', { outputs: ['numbers'] });
const numbers = await source.file('numbers');

const batch = await octaskly.batch(
  [
    { name: 'sum', command: "awk '{ s += $1 } END { print s }' numbers", inputs: { numbers } },
    { name: 'largest', command: 'sort -n numbers | tail -n 1', inputs: { numbers } },
    // Starts when both have ended well, and not at all when one fails.
    { name: 'report', command: 'echo done', after: ['sum', 'largest'] },
  ],
  { name: 'statistics' },
);
for await (const task of batch.ended()) console.log(`${task.name}: ${task.stdout_tail.trim()}`);

const { size, counts } = await batch.show();
console.log(`${counts.completed} of ${size} completed`);
