/**
 * The answer to a browser that asks for a page or what belongs to it (RFC 9110: conditional requests, content coding).
 * Files whose name changes with their content are kept by browsers for good; the others are asked for anew each time,
 * and not sent again while they are the same. Text goes compressed to whoever takes it; it is compressed once.
 */

import { OctasklyError } from '../base/errors.ts';
import { type PageFile, pageSecurityPolicy } from './pages.ts';
import { problemResponse } from './problem.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** By file or document, for as long as there is one. */
const compressed = new WeakMap<object, Promise<Bytes>>();

async function gzip(bytes: Bytes): Promise<Bytes> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function compressedBytes(of: object, read: () => Promise<Bytes>): Promise<Bytes> {
  const known = compressed.get(of) ?? read().then(gzip);
  compressed.set(of, known);
  return known;
}

/** Text gains by compression; pictures and fonts are compressed already. */
function isText({ mediaType }: PageFile): boolean {
  return /^text\/|javascript|json|svg|xml/.test(mediaType);
}

/** True when it is named, or else all are, unless with a weight of nothing (12.5.3). */
function takesGzip(accepted: string | null): boolean {
  const codings = accepted?.split(',') ?? [];
  const named = codings.find((each) => /^\s*(?:x-)?gzip\s*(?:;|$)/i.test(each));
  const coding = named ?? codings.find((each) => /^\s*\*\s*(?:;|$)/.test(each));
  return coding !== undefined && !/;\s*q=0(?:\.0*)?\s*$/i.test(coding);
}

/** Weak comparison, as `If-None-Match` asks for (13.1.2). */
function isKnown(given: string | null, etag: string): boolean {
  if (given === null) return false;
  return given.split(',').some((each) => ['*', etag].includes(each.trim().replace(/^W\//, '')));
}

/** Answers GET and HEAD with the file, and other methods with 405. */
export async function pageAnswer(file: PageFile, { method, headers }: Request): Promise<Response> {
  if (method !== 'GET' && method !== 'HEAD') {
    const error = new OctasklyError('method_not_allowed', `${file.path} does not take ${method}, only GET, HEAD.`);
    return problemResponse(error, { allow: 'GET, HEAD' });
  }
  const packed = isText(file) && takesGzip(headers.get('accept-encoding'));
  // Another coding is another representation, and has a tag of its own (8.8.3).
  const etag = packed ? file.etag.replace(/"$/, '-gzip"') : file.etag;
  const fields: Record<string, string> = {
    etag,
    'cache-control': file.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    'content-security-policy': pageSecurityPolicy,
    vary: 'Accept-Encoding',
  };
  if (isKnown(headers.get('if-none-match'), etag)) return new Response(null, { status: 304, headers: fields });
  fields['content-type'] = file.mediaType;
  if (packed) fields['content-encoding'] = 'gzip';
  const bytes = packed ? await compressedBytes(file, file.bytes) : await file.bytes();
  fields['content-length'] = String(bytes.length);
  return new Response(method === 'HEAD' ? null : bytes, { headers: fields });
}

/** A JSON document that stays as it is while the program runs. */
export async function documentAnswer(document: object, headers: Headers): Promise<Response> {
  const fields = { 'content-type': 'application/json', vary: 'Accept-Encoding' };
  const bytes = async (): Promise<Bytes> => new TextEncoder().encode(JSON.stringify(document));
  if (!takesGzip(headers.get('accept-encoding'))) return new Response(await bytes(), { headers: fields });
  const packed = await compressedBytes(document, bytes);
  return new Response(packed, { headers: { ...fields, 'content-encoding': 'gzip' } });
}

/** Where there is nothing: the way to the page for its other name, a page for a person, a problem document for a program. */
export function nothingAnswer(path: string, { method, headers }: Request): Response {
  if (path === '/index.html') return new Response(null, { status: 308, headers: { location: '/' } });
  const error = new OctasklyError('not_found', `There is no ${path} here.`);
  const isPerson = (method === 'GET' || method === 'HEAD') && headers.get('accept')?.includes('text/html') === true;
  if (!isPerson) return problemResponse(error);
  return new Response(method === 'HEAD' ? null : nothingPage, {
    status: 404,
    headers: { 'content-type': 'text/html; charset=utf-8' },
  });
}

/** Repeats nothing of what was asked for. */
const nothingPage = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Not found · Octaskly</title>
<h1>There is no such page</h1><p><a href="/">The dashboard</a></p></html>
`;
