/**
 * Shows what a command writes, line by line while it writes it, and ends it when it takes too long.
 *
 *     node examples/stream-output.mjs [COMMAND]     (deno: --allow-net --allow-env)
 */

import { argv } from 'node:process';
import { Octaskly } from 'octaskly';

const command = argv[2] ?? 'for i in 1 2 3; do echo "line $i"; sleep 0.2; done';
const octaskly = new Octaskly({ onLost: (reason) => console.log(`waiting for the dispatcher: ${reason}`) });

const task = await octaskly.submit(command);
const signal = AbortSignal.timeout(60_000);
try {
  for await (const line of task.stdout.lines({ signal })) console.log(line);
  const { status, exit_code: code } = await task.wait({ signal });
  console.log(`${status} with exit code ${code}`);
} finally {
  // Has ended, or should.
  await task.cancel();
}

// Both streams at once, and the bytes as they are.
const decoder = new TextDecoder();
for await (const { from, bytes } of octaskly.stream('echo to stdout; echo to stderr >&2')) {
  console.log(`${from}: ${decoder.decode(bytes).trim()}`);
}
