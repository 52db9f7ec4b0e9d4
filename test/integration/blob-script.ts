/** Uploads and downloads a blob, run by runtimes other than Bun. Prints what came back as one line of JSON. */

import { createClient } from '../../src/client/client.ts';

const [, , baseUrl = '', blob = '', text = ''] = process.argv;
const client = createClient({ baseUrl });
const bytes = new TextEncoder().encode(text);
const found: unknown[] = [];

found.push((await client.putBlob(blob, new Blob([bytes.subarray(0, 4)]), { from: 0, total: bytes.length })).received);
const rest = new Response(bytes.subarray(4)).body ?? new ReadableStream();
found.push((await client.putBlob(blob, rest, { from: 4, total: bytes.length })).stored);
found.push((await client.putBlob(blob, bytes, { from: 0, total: bytes.length })).stored);
found.push(await new Response((await client.blob(blob)).stream).text());
console.log(JSON.stringify(found));
