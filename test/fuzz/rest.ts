/**
 * The REST API of the compiled file under requests made from its own document. Whatever comes in: no status 500, an answer
 * within ten seconds, nothing of the machine in answers (paths, stacks), no trouble in the log that nobody foresaw, and
 * memory that stays bounded. Streams that have no end by design are left once they have begun.
 *
 * `bun test/fuzz/rest.ts --requests 100000 --seed 1` runs it; what failed is printed with the seed that repeats it.
 */

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { parseArgs } from 'node:util';
import { root } from '../../scripts/steps.ts';
import { closeSites, openSite, type Site } from '../e2e/site.ts';
import { pick, seeded } from '../unit/core/seeded.ts';
import { type FuzzRequest, RequestMaker, readDocument } from './rest-requests.ts';

/** Longest anything may take to be answered. */
const answerMsMax = 10_000;
/** Resident memory of the dispatcher. */
const memoryBytesMax = 1024 * 1024 * 1024;
const inFlight = 16;
/** One request in these many goes out as bytes of our own, past what an HTTP library would send. */
const rawEvery = 25;
/** These may say nothing for as long as a task or the dispatcher lives. */
const endless = ['watchEvents', 'readOutput', 'writeStdin'];
/** What an endless one is given before it is left. */
const endlessMs = 100;

export interface FuzzReport {
  readonly seed: number;
  readonly requests: number;
  /** By status; `left` for endless ones that were left, `closed` for connections closed without an answer. */
  readonly counts: Readonly<Record<string, number>>;
  /** Operations answered with each kind of status at least once: `createTask 2xx`. */
  readonly reached: ReadonlySet<string>;
  readonly slowestMs: number;
  readonly memoryBytes: number;
  /** What should not have happened, the first ones. */
  readonly failures: readonly string[];
}

const failuresMax = 20;

class Fuzz {
  readonly #site: Site;
  readonly #leaks: readonly RegExp[];
  readonly counts: Record<string, number> = {};
  readonly reached = new Set<string>();
  readonly failures: string[] = [];
  slowestMs = 0;
  readonly #maker: RequestMaker;

  constructor(site: Site, maker: RequestMaker) {
    this.#site = site;
    this.#maker = maker;
    const quoted = [site.directory, root, '/$bunfs', 'node_modules'].map((text) => RegExp.escape(text));
    this.#leaks = [
      new RegExp(quoted.join('|')),
      /\.ts:\d+/,
      /\n\s+at \S+ \(/,
      /SQLITE_|SQLiteError|ZodError|TypeError/,
    ];
  }

  fail(what: string, { method, target, body, headers }: FuzzRequest): void {
    if (this.failures.length >= failuresMax) return;
    const shown = typeof body === 'string' ? body.slice(0, 400) : body === null ? '' : '(bytes)';
    this.failures.push(`${what}: ${method} ${target.slice(0, 400)} ${JSON.stringify(headers).slice(0, 200)} ${shown}`);
  }

  #count(key: string | number): void {
    this.counts[key] = (this.counts[key] ?? 0) + 1;
  }

  async send(request: FuzzRequest): Promise<void> {
    const isEndless = endless.includes(request.operationId);
    const patience = isEndless ? endlessMs : answerMsMax;
    const started = performance.now();
    try {
      const response = await fetch(this.#site.url + request.target, {
        method: request.method,
        headers: request.headers,
        ...(request.body === null ? {} : { body: request.body }),
        signal: AbortSignal.timeout(patience),
      });
      const stream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
      if (stream) await response.body?.cancel();
      this.#judge(request, response, stream ? '' : await response.text());
    } catch (error) {
      const late = error instanceof Error && error.name === 'TimeoutError';
      if (late && isEndless) this.#count('left');
      else this.fail(late ? 'no answer in time' : `no answer (${String(error)})`, request);
    }
    if (!isEndless) this.slowestMs = Math.max(this.slowestMs, performance.now() - started);
  }

  #judge(request: FuzzRequest, { status, headers }: Response, text: string): void {
    this.#count(status);
    this.reached.add(`${request.operationId} ${Math.floor(status / 100)}xx`);
    // Too long a head: the server itself refuses it, before there is a request.
    if (status === 431) return;
    if (status === 500 || status === 502 || status === 504) this.fail(`status ${status} (${text})`, request);
    if (headers.get('x-content-type-options') !== 'nosniff') this.fail(`status ${status} lacks its headers`, request);
    if (status >= 400 && request.method !== 'HEAD' && headers.get('content-type') !== 'application/problem+json')
      this.fail(`status ${status} is no problem document`, request);
    const id = status === 201 ? /"id":"(\w+)"/.exec(text)?.[1] : undefined;
    if (id !== undefined) this.#maker.learn(id);
    // What a caller wrote comes back to it; that is no leak.
    const sent = request.target + (typeof request.body === 'string' ? request.body : '');
    const leak = this.#leaks
      .map((each) => each.exec(text)?.[0])
      .find((found) => found !== undefined && !sent.includes(found));
    if (leak !== undefined && status >= 400) this.fail(`the answer tells "${leak}" in ${text.slice(0, 300)}`, request);
  }

  /** Sends bytes as they are, and leaves when an answer begins, or none came for a while: it may wait for the rest. */
  sendRaw(bytes: string, request: FuzzRequest): Promise<void> {
    return new Promise((resolve) => {
      const socket = connect(this.#site.apiPort, '127.0.0.1');
      const timer = setTimeout(() => socket.destroy(), endlessMs);
      let text = '';
      socket.on('data', (data) => {
        text += data.toString('latin1');
        socket.destroy();
      });
      socket.on('error', () => undefined);
      socket.on('close', () => {
        clearTimeout(timer);
        const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
        this.#count(status === undefined ? 'closed' : `raw ${status}`);
        if (status?.startsWith('50')) this.fail(`raw status ${status}`, { ...request, body: bytes });
        resolve();
      });
      socket.write(bytes, 'latin1');
    });
  }
}

/** Bytes no library would send: odd methods and targets, doubled or missing headers, lengths that lie, bodies cut short. */
function rawOf(request: FuzzRequest, choice: number): string {
  const { method, target } = request;
  const body = typeof request.body === 'string' ? Buffer.from(request.body).toString('latin1') : '{}';
  const json = 'Content-Type: application/json\r\n';
  const forms = [
    `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n`,
    `${method} ${target} HTTP/1.0\r\n\r\n`,
    `${method} ${target} HTTP/1.1\r\n\r\n`,
    `${method} ${decodeLoosely(target)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    `TRACE ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    `CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    `POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\n${json}Content-Length: ${body.length + 99}\r\n\r\n${body}`,
    `POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\n${json}Content-Length: 1\r\n\r\n${body}`,
    `POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\n${json}Content-Length: -1\r\n\r\n${body}`,
    `POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\n${json}Transfer-Encoding: chunked\r\n\r\nfff\r\n${body}`,
    `POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\n${json}Transfer-Encoding: chunked\r\n\r\nzz\r\n${body}`,
    `POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\n${json}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `GET http://evil.example${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    `GET ${target}`,
    `GET /../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    `GET /api/v1/tasks/..%2f..%2f..%2fetc%2fpasswd/outputs/../../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    `GET /health HTTP/1.1\r\nHost: localhost\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`,
    `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`,
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    '\0'.repeat(64),
  ];
  return forms[choice % forms.length] ?? '';
}

/** The target without its escapes, where a line still holds it. */
function decodeLoosely(target: string): string {
  return target.replaceAll(/%([0-9a-f]{2})/gi, (_all, hex: string) => {
    const code = Number.parseInt(hex, 16);
    return code > 0x20 && code !== 0x7f ? String.fromCharCode(code) : `%${hex}`;
  });
}

function residentBytes(pid: number): number {
  if (process.platform !== 'linux') return 0;
  return 1024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}

/** Starts a dispatcher of its own, asks it `requests` times, and ends it. */
export async function fuzzRest({ requests, seed }: { requests: number; seed: number }): Promise<FuzzReport> {
  const site = openSite();
  try {
    const node = await site.dispatcher(['--max-queue-size', '2000']);
    const document = readDocument(await (await fetch(`${site.url}/openapi.json`)).text());
    const draw = seeded(seed);
    const maker = new RequestMaker(document, draw);
    const fuzz = new Fuzz(site, maker);
    let sent = 0;
    let memoryBytes = 0;
    const lane = async (): Promise<void> => {
      while (sent < requests && fuzz.failures.length < failuresMax) {
        const n = sent++;
        const request = maker.make(pick(draw, document.operations));
        if (n % rawEvery === 0) await fuzz.sendRaw(rawOf(request, draw(1000)), request);
        else await fuzz.send(request);
        if (n % 500 === 0) memoryBytes = Math.max(memoryBytes, residentBytes(node.pid));
      }
    };
    await Promise.all(Array.from({ length: inFlight }, lane));
    const trouble = node.log().match(/^.*(?:not foreseen|unhandled|Unhandled|panic|AssertionError).*$/gm) ?? [];
    const failures = [...fuzz.failures, ...trouble.slice(0, 3).map((line) => `the log says: ${line}`)];
    if (memoryBytes > memoryBytesMax) failures.push(`the dispatcher holds ${memoryBytes} bytes of memory`);
    const health = await site.call('GET', '/health');
    if (health.status !== 200) failures.push(`afterwards /health answers ${health.status}`);
    const { counts, reached, slowestMs } = fuzz;
    return { seed, requests: sent, counts, reached, slowestMs, memoryBytes, failures };
  } finally {
    await closeSites();
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { requests: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } },
  });
  const report = await fuzzRest({ requests: Number(values.requests), seed: Number(values.seed) });
  const { counts, failures, reached, ...rest } = report;
  const refusedOnly = [...reached].filter((each) => each.endsWith('4xx') && !reached.has(each.replace('4xx', '2xx')));
  console.log({ ...rest, counts, refusedOnly });
  for (const failure of failures) console.error(failure);
  process.exit(failures.length === 0 ? 0 : 1);
}
