/**
 * One command on whichever device has room, and a task whose end is waited for later.
 *
 *     node examples/submit-and-wait.mjs     (or: bun …, deno run --allow-net --allow-env …)
 *
 * The dispatcher is the one at OCTASKLY_API, or http://127.0.0.1:3000; OCTASKLY_TOKEN is shown to it where it asks for one.
 */

import { Octaskly, TaskFailed } from 'octaskly';

const octaskly = new Octaskly();

// To its end, or an error that says why not.
const { stdout, task } = await octaskly.run('echo "hello from $(uname -m)"', { timeout: 60 });
console.log(`${stdout.trim()}, after ${Math.round(task.duration_ms ?? 0)} ms`);

try {
  await octaskly.run(['sh', '-c', 'echo "no such luck" >&2; exit 3']);
} catch (error) {
  if (!(error instanceof TaskFailed)) throw error;
  console.log(`failed as it should, with ${error.output.exitCode}: ${error.output.stderr.trim()}`);
}

// Handed in now, asked about later: another program could do that too, by the id.
const later = await octaskly.submit('cat notes.txt | wc -w', {
  name: 'count words',
  priority: 'high',
  inputs: { 'notes.txt': 'three small words' },
});
console.log(`words: ${(await octaskly.task(later.id).output()).stdout.trim()}`);
