/**
 * Compresses files on all devices at once and saves what comes back.
 *
 *     node examples/map-files.mjs TARGET-FOLDER FILE...     (deno: --allow-net --allow-env --allow-read --allow-write)
 */

import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { argv, exit } from 'node:process';
import { Writable } from 'node:stream';
import { Octaskly } from 'octaskly';

const [target = '.', ...paths] = argv.slice(2);
const octaskly = new Octaskly();

// Names are unique in a folder, not beyond: the task sees each file under a name of its own.
const results = octaskly.map(
  (path) => ({ command: 'gzip -9 input', inputs: { input: path.content }, outputs: ['input.gz'] }),
  // Files are read when there is room for them, not all at once.
  (async function* () {
    for (const path of paths) yield { path, content: await readFile(path) };
  })(),
  { concurrency: 16, keepOrder: true },
);

let failed = 0;
for await (const { input, output, task } of results) {
  if (!output.ok) {
    failed += 1;
    console.log(`${input.path}: ${output.task.reason}`);
    continue;
  }
  const compressed = await task.file('input.gz');
  const saved = join(target, `${basename(input.path)}.gz`);
  await compressed.saveTo(Writable.toWeb(createWriteStream(saved)));
  console.log(`${input.path}: ${input.content.length} -> ${compressed.size} bytes`);
}
exit(failed === 0 ? 0 : 1);
