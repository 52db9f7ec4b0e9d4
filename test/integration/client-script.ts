/** What a program does with the client, run by every runtime that is tested. Prints its findings as one line of JSON. */

import { OctasklyError } from '../../src/base/errors.ts';
import { createClient } from '../../src/client/client.ts';

const client = createClient({ baseUrl: process.argv[2] ?? '' });
const found: Record<string, unknown> = {};

const task = await client.submitTask({ command: 'broken', name: 'ä' });
found.submitted = [task.name, task.status];

const decoder = new TextDecoder();
let output = '';
for await (const chunk of client.output(task.id, { follow: true })) output += decoder.decode(chunk, { stream: true });
found.output = output;
found.ended = (await client.waitFor([task.id])).map((ended) => ended.exit_code);

const batch = await client.submitBatch({ tasks: [{ command: 'a' }, { command: 'b' }] });
found.batch = (await client.waitFor(batch.task_ids, { batches: [batch.id] })).map((ended) => ended.command);

const reader = await client.submitTask({ command: 'cat', stdin: { stream: true } });
await client.writeStdin(reader.id, { offset: 0, data: new TextEncoder().encode('in'), eof: true });
const [read] = await client.waitFor([reader.id]);
found.stdin = read?.exit_code;

const listed: (string | null)[] = [];
for await (const one of client.allTasks({ status: ['completed'] })) listed.push(one.command);
found.listed = listed;

found.missing = await client.task('0').catch((error: unknown) => error instanceof OctasklyError && error.code);
const closed = createClient({ baseUrl: process.argv[3] ?? '' });
found.refused = await closed.stats().catch((error: unknown) => error instanceof OctasklyError && error.message);
const hasty = createClient({ baseUrl: client.baseUrl, timeoutMs: 50 });
found.timeout = await hasty.explain('never').catch((error: unknown) => error instanceof OctasklyError && error.code);

const stop = new AbortController();
for await (const item of client.events({ signal: stop.signal })) {
  found.events = item.kind;
  break;
}
console.log(JSON.stringify(found));
