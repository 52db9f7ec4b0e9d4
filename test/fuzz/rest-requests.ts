/**
 * Requests from an OpenAPI document and a seed: of each operation some that fit, some at a bound, and most of them broken
 * in one or two places. Pure: the same document and seed give the same requests, but for the ids it is told of.
 */

import { type Draw, pick } from '../unit/core/seeded.ts';

type Json = Readonly<Record<string, unknown>>;

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly schema: Json;
}

export interface Operation {
  readonly operationId: string;
  readonly method: string;
  /** With parameters in braces. */
  readonly path: string;
  readonly parameters: readonly Parameter[];
  /** Schemas by media type. */
  readonly bodies: ReadonlyMap<string, Json>;
}

export interface Document {
  readonly operations: readonly Operation[];
  readonly schemas: Readonly<Record<string, Json>>;
}

export interface FuzzRequest {
  readonly operationId: string;
  readonly method: string;
  /** Path and query as they go on the wire. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array<ArrayBuffer> | FormData | null;
}

/** What a program outside knows of the API: the parts of its document that say what to send. */
export function readDocument(text: string): Document {
  const { paths, components } = JSON.parse(text) as {
    paths: Record<string, Record<string, { operationId: string; parameters?: Parameter[]; requestBody?: Json }>>;
    components: { schemas: Record<string, Json> };
  };
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId, parameters = [], requestBody }]): Operation => {
      const content = (requestBody?.content ?? {}) as Record<string, { schema: Json }>;
      const bodies = new Map(Object.entries(content).map(([type, { schema }]) => [type, schema]));
      return { operationId, method: method.toUpperCase(), path, parameters, bodies };
    }),
  );
  return { operations, schemas: components.schemas };
}

/** Texts that have broken programs before. */
const hostileTexts: readonly string[] = [
  '',
  ' ',
  '\0',
  'a\0b',
  '../../../../etc/passwd',
  '..\\..\\windows\\win.ini',
  '/etc/passwd',
  '//evil.example/x',
  'C:\\x',
  '\\\\host\\share',
  '.',
  '..',
  './a/../../b',
  'a/./b',
  '%2e%2e%2f%2e%2e%2fetc',
  '%00',
  '%',
  '..%c0%af..%c0%af',
  '\u2025/\u2025/x',
  '\uff0e\uff0e\uff0fetc',
  '\u2024\u2024\u2215etc',
  'p\u0430ssword',
  '\u202etxt.exe',
  '\ufeffname',
  'e\u0301'.repeat(50),
  '\ud800',
  '\udfff\ud800',
  '\u{1f4a9}'.repeat(20),
  '__proto__',
  'constructor',
  'toString',
  "' OR 1=1 --",
  '"; DROP TABLE tasks; --',
  '*',
  '[a-z',
  '**/**/**/**/**/*',
  '{a,b}{c,d}',
  '$(id)',
  '`id`',
  '\r\nX-Injected: 1',
  '<script>alert(1)</script>',
  'NaN',
  'null',
  'true',
  '-0',
  '1e309',
  '0x10',
  '9'.repeat(40),
  'CON',
  'a'.repeat(255),
  'a'.repeat(4097),
  '000000000001',
  'zzzzzzzzzzzz',
  '9999-12-31T23:59:59Z',
  '0000-00-00',
];

const hostileValues: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  -1e308,
  2 ** 53,
  2 ** 63,
  Number.MIN_VALUE,
  [],
  {},
  [[]],
  [null],
  { length: -1 },
  { toString: 1 },
  { $ref: '#' },
  { constructor: 1 },
];

/** One request in these many holds something very large. */
const hugeEvery = 200;
const hugeLength = 300_000;
/** The one blob whose hash and bytes come together by chance. */
const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
/** Ids that are remembered, each kind. */
const idsMax = 50;

/** Sets a key as JSON has it: `__proto__` is one like any other. */
function put(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

export class RequestMaker {
  readonly #document: Document;
  readonly #draw: Draw;
  /** Ids the dispatcher gave, for requests that reach something. */
  readonly #taskIds: string[] = ['000000000001'];
  /** Of tokens and invites. */
  readonly #otherIds: string[] = ['none'];

  constructor(document: Document, draw: Draw) {
    this.#document = document;
    this.#draw = draw;
  }

  learn(id: string): void {
    const ids = /^[0-9a-hjkmnp-tv-z]{12}$/.test(id) ? this.#taskIds : this.#otherIds;
    ids.push(id);
    if (ids.length > idsMax) ids.shift();
  }

  /** A request of `operation`. */
  make(operation: Operation): FuzzRequest {
    const broken = this.#chance(4) ? 'nothing' : pick(this.#draw, ['path', 'query', 'body', 'headers', 'method']);
    const { headers, body } = this.#body(operation, broken === 'body');
    if (broken === 'headers') Object.assign(headers, this.#oddHeaders());
    const methods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'];
    const method = broken === 'method' ? pick(this.#draw, methods) : operation.method;
    const target = this.#path(operation, broken === 'path') + this.#query(operation, broken === 'query');
    const hasBody = body !== null && method !== 'GET' && method !== 'HEAD';
    return { operationId: operation.operationId, method, target, headers, body: hasBody ? body : null };
  }

  #chance(of: number): boolean {
    return this.#draw(of) === 0;
  }

  #hostileText(): string {
    if (this.#chance(hugeEvery)) return pick(this.#draw, ['a', '../', '\u{1f600}', '%00']).repeat(hugeLength / 4);
    if (this.#chance(4)) return this.#noise(1 + this.#draw(40));
    return pick(this.#draw, hostileTexts);
  }

  #noise(length: number): string {
    return String.fromCharCode(...Array.from({ length }, () => this.#draw(this.#chance(3) ? 0x10000 : 0x100)));
  }

  /** In a path or query: escaped, or with some of its escapes broken. */
  #escaped(text: string): string {
    const escaped = encodeURIComponent(text.toWellFormed());
    return this.#chance(6)
      ? escaped.replaceAll('%2F', '/').replace('%', pick(this.#draw, ['%25', '%zz', '%ff%']))
      : escaped;
  }

  #path({ path, parameters }: Operation, broken: boolean): string {
    const filled = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => {
      if (broken && this.#chance(2)) return this.#escaped(this.#hostileText());
      if (name === 'id' && !this.#chance(5)) {
        return pick(this.#draw, /tasks|batches/.test(path) ? this.#taskIds : this.#otherIds);
      }
      const schema = parameters.find((each) => each.in === 'path' && each.name === name)?.schema ?? {};
      return this.#escaped(String(this.#value(schema, 0)));
    });
    return broken && this.#chance(4) ? `${filled}/${this.#escaped(this.#hostileText())}` : filled;
  }

  #query({ parameters }: Operation, broken: boolean): string {
    const pairs = parameters
      .filter((each) => each.in === 'query' && (each.required || this.#chance(3)))
      .map(({ name, schema }) => {
        const value = broken && this.#chance(2) ? this.#hostileText() : String(this.#value(schema, 0));
        return `${this.#escaped(name)}=${this.#escaped(value)}`;
      });
    if (broken && this.#chance(2))
      pairs.push(`${this.#escaped(this.#hostileText())}=${this.#escaped(this.#hostileText())}`);
    if (broken && this.#chance(4)) pairs.push(...pairs);
    return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
  }

  #oddHeaders(): Record<string, string> {
    const ascii = (text: string): string =>
      text
        .replaceAll(/[^\x20-\x7e]/g, '?')
        .trim()
        .slice(0, 8000);
    const value = ascii(this.#hostileText());
    return pick(this.#draw, [
      {
        'content-type': pick(this.#draw, ['text/plain', 'application/x-www-form-urlencoded', 'application/xml', value]),
      },
      { authorization: pick(this.#draw, [`Bearer ${value}`, 'Basic eDp4', value]) },
      { 'idempotency-key': value },
      { 'last-event-id': value },
      { range: pick(this.#draw, ['bytes=0-0', 'bytes=9-1', 'bytes=-5', 'bytes=0-,1-2', value]) },
      { 'content-range': pick(this.#draw, ['bytes 0-4/5', 'bytes 5-1/9', 'bytes 0-9/99999999999999999', value]) },
      { 'if-none-match': value },
      { origin: pick(this.#draw, ['https://evil.example', 'null', value]) },
      { 'sec-fetch-site': 'cross-site' },
      { 'x-forwarded-for': value },
      { accept: value },
    ]);
  }

  #body({ bodies }: Operation, broken: boolean): Pick<FuzzRequest, 'body'> & { headers: Record<string, string> } {
    if (bodies.size === 0) return { headers: {}, body: null };
    const [type, schema] = pick(this.#draw, [...bodies]);
    if (type === 'application/octet-stream') return { headers: { 'content-type': type }, body: this.#bytes() };
    const json = this.#json(this.#value(schema, 0), broken);
    if (type === 'multipart/form-data') return { headers: {}, body: this.#form(schema, broken) };
    const headers = { 'content-type': type };
    if (!broken || !this.#chance(4)) return { headers, body: json };
    const cut = json.slice(0, this.#draw(json.length + 1));
    return { headers, body: pick(this.#draw, [cut, '', '['.repeat(50_000), `${json}x`, this.#bytes(), '\ufeff{}']) };
  }

  #bytes(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length: this.#chance(2) ? 0 : this.#draw(64) }, () => this.#draw(256));
  }

  #form(schema: Json, broken: boolean): FormData {
    const form = new FormData();
    const { task } = this.#value(schema, 0) as { task: Json };
    const names = ['list', this.#hostileText()];
    const inputs = this.#chance(2) ? names.slice(0, 1) : names;
    const text = this.#json({ ...task, inputs }, broken);
    form.append('task', this.#chance(5) ? new File([text], 'task.json') : text);
    for (const name of inputs) form.append(name, new File([this.#bytes()], this.#hostileText()));
    return form;
  }

  /** The text of `value`, with a place or two replaced when `broken`. */
  #json(value: unknown, broken: boolean): string {
    const copy = { root: structuredClone(value) };
    for (let times = broken ? 1 + this.#draw(2) : 0; times > 0; times--) this.#breakOne(copy, 'root');
    return JSON.stringify(copy.root) ?? 'null';
  }

  #breakOne(parent: Record<string, unknown>, key: string): void {
    const value = parent[key];
    if (typeof value === 'object' && value !== null && !this.#chance(3)) {
      const keys = Object.keys(value);
      if (keys.length > 0) {
        this.#breakOne(value as Record<string, unknown>, pick(this.#draw, keys));
        return;
      }
    }
    if (this.#chance(6)) delete parent[key];
    else if (this.#chance(8)) put(parent, this.#hostileText(), value);
    else put(parent, key, this.#chance(2) ? this.#hostileText() : structuredClone(pick(this.#draw, hostileValues)));
  }

  /** Something that fits `schema`, or nearly: patterns are met for the shapes the API uses. */
  #value(schema: Json, depth: number): unknown {
    const { $ref, const: constant } = schema;
    if (typeof $ref === 'string') return this.#value(this.#document.schemas[$ref.split('/').at(-1) ?? ''] ?? {}, depth);
    if (constant !== undefined) return constant;
    if (Array.isArray(schema.enum)) return pick(this.#draw, schema.enum);
    const choices = (schema.anyOf ?? (schema.type === undefined ? schema.oneOf : undefined)) as Json[] | undefined;
    if (choices !== undefined) return this.#value(pick(this.#draw, choices), depth);
    switch (schema.type) {
      case 'object':
        return this.#object(schema, depth);
      case 'array': {
        const length = Math.max(Number(schema.minItems ?? 0), depth > 4 ? 0 : this.#draw(3));
        return Array.from({ length }, () => this.#value((schema.items ?? {}) as Json, depth + 1));
      }
      case 'integer':
      case 'number':
        return this.#number(schema);
      case 'boolean':
        return this.#chance(2);
      case 'string':
        return this.#text(schema);
      default:
        return pick(this.#draw, ['x', 1, null]);
    }
  }

  #object(schema: Json, depth: number): Json {
    const properties = (schema.properties ?? {}) as Record<string, Json>;
    // Of alternatives that each need something else, one.
    const one = Array.isArray(schema.oneOf) ? (pick(this.#draw, schema.oneOf) as { required?: string[] }).required : [];
    const others = Array.isArray(schema.oneOf)
      ? schema.oneOf.flatMap((each: { required?: string[] }) => each.required ?? [])
      : [];
    const needed = [...((schema.required ?? []) as string[]), ...(one ?? [])];
    const entries = Object.entries(properties)
      .filter(([name]) => needed.includes(name) || (!others.includes(name) && this.#chance(5)))
      .map(([name, inner]) => [name, this.#value(inner, depth + 1)] as const);
    const more = schema.additionalProperties;
    if (typeof more === 'object' && more !== null && this.#chance(3))
      return { ...Object.fromEntries(entries), key: this.#value(more as Json, depth + 1) };
    return Object.fromEntries(entries);
  }

  #number({ minimum, exclusiveMinimum, maximum, type }: Json): number {
    const low = Number(minimum ?? exclusiveMinimum ?? 0);
    const high = Number(maximum ?? 1_000_000);
    const middle = low + this.#draw(Math.max(1, Math.min(high - low, 1000)));
    const value = pick(this.#draw, [low, high, middle, middle, middle, low - 1, high + 1]);
    return type === 'number' && this.#chance(3) ? value + 0.5 : value;
  }

  #text({ pattern, format, minLength, maxLength }: Json): string {
    if (typeof format === 'string' && format.startsWith('date')) return '2026-01-31T12:00:00Z';
    const text = typeof pattern === 'string' ? pattern : '';
    const hex = (length: number): string => Array.from({ length }, () => this.#draw(16).toString(16)).join('');
    const hash = this.#chance(2) ? emptyHash : hex(64);
    if (text.includes('{64}')) return text.includes('(?:sha256:)?') ? hash : `sha256:${hash}`;
    if (text.includes('{12}')) return pick(this.#draw, this.#taskIds);
    if (text.includes('=')) return 'key=value';
    if (text !== '') return pick(this.#draw, ['a', 'name', 'ci', 'x1']);
    const length = Math.max(Number(minLength ?? 0), this.#draw(12));
    if (this.#chance(20)) return 'b'.repeat(Math.min(Number(maxLength ?? 100), 5000));
    return pick(this.#draw, ['true', 'echo hi', 'out/*.txt', 'a/b.txt', 'x'.repeat(length)]) || 'x';
  }
}
