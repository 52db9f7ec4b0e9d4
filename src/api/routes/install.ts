/**
 * Routes for devices that have no Octaskly yet: the script that installs it, and the program. They ask for no token and tell
 * nothing of the cluster. While an invitation is open they are also served to the network, alone
 * (`roles/install-listener.ts`).
 *
 * What they hand out is as trustworthy as the network it crosses; a join token says what it should be.
 *
 * Invariant: whoever asks learns neither paths of this machine nor where its release comes from, also when something fails.
 */

import { z } from 'zod';
import { OctasklyError, reasonOf } from '../../base/errors.ts';
import { manifestFile, signatureFile } from '../../core/release-manifest.ts';
import { blobAnswer, blobRoute } from '../blob-answer.ts';
import type { Installs } from '../installs.ts';
import { noParams, noQuery, type Route, type RouteContext, route } from '../route.ts';

const sumsName = 'SHA256SUMS';
const signedNames: readonly string[] = [manifestFile, signatureFile];

function installsOf({ options }: RouteContext): Installs {
  if (options.installs !== undefined) return options.installs;
  throw new OctasklyError('not_found', 'No program is handed out here.');
}

function scriptRoute(kind: 'sh' | 'ps1', mediaType: string): Route {
  return route({
    name: kind === 'sh' ? 'installScript' : 'installScriptForWindows',
    method: 'GET',
    path: `/install.${kind}`,
    access: 'public',
    summary:
      kind === 'sh' ? 'The script that installs this program' : 'The script that installs this program on Windows',
    params: noParams,
    query: noQuery,
    body: null,
    answers: { 200: { description: 'The script, which knows where it was had', schema: null, mediaType } },
    problems: ['not_found', 'rate_limited'],
    handle({ actor, address }, context) {
      const installs = installsOf(context);
      installs.places.ask(actor.from);
      return new Response(installs.script(kind, address), {
        headers: { 'content-type': `${mediaType}; charset=utf-8` },
      });
    },
  });
}

const downloadParams = z.strictObject({
  target: z
    .string()
    .regex(/^[A-Za-z0-9.-]{1,64}$/, 'is no target')
    .describe(
      `As linux-arm64, with or without bun- before it, and .gz behind it for the same gzipped; or ${sumsName}, ${signedNames.join(', ')}`,
    ),
});

/** Errors that whoever asks is meant to read. */
const ownErrors: readonly string[] = ['not_found', 'rate_limited', 'range_not_satisfiable'];

/** Does what others may ask for. What goes wrong with files or a release on the way is told to the log alone. */
async function withoutDetails<T>({ options }: RouteContext, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof OctasklyError) || ownErrors.includes(error.code)) throw error;
    options.log.warn('a program cannot be handed out', { reason: reasonOf(error) });
    const message = 'The program cannot be handed out now: the log of the dispatcher says why.';
    throw new OctasklyError(error.code, message, { cause: error });
  }
}

/** Ends a download's place when its last byte is taken, or nobody wants it any more. */
function endingWith(body: ReadableStream<Uint8Array>, end: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
          end();
          controller.close();
        } catch (error) {
          end();
          throw error;
        }
      },
      async cancel(reason) {
        end();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

async function handOut(
  target: string,
  { headers, from }: { readonly headers: Headers; readonly from: string | null },
  installs: Installs,
): Promise<Response> {
  const end = installs.places.take(from);
  try {
    const bare = target.replace(/\.gz$/, '');
    const { file, size } = await installs.program(bare, bare === target ? 'bare' : 'gzip');
    const name = /windows/.test(bare) ? 'octaskly.exe' : 'octaskly';
    const answer = blobAnswer(installs, { blob: file, size, name: bare === target ? name : `${name}.gz` }, headers);
    if (answer.body === null) end();
    else return new Response(endingWith(answer.body, end), answer);
    return answer;
  } catch (error) {
    end();
    throw error;
  }
}

/** The manifest that names the programs, or its signature. Error: `not_found`. */
function signedText(name: string, { signed }: Installs): Response {
  if (signed === null) throw new OctasklyError('not_found', 'The programs here are of no release that was signed.');
  const text = name === manifestFile ? signed.manifest : signed.signature;
  return new Response(text, { headers: { 'content-type': 'text/plain; charset=utf-8' } });
}

const download = route({
  name: 'download',
  method: 'GET',
  path: '/download/{target}',
  access: 'public',
  summary: 'The program for a kind of device, or the SHA-256 of each',
  params: downloadParams,
  query: noQuery,
  ...blobRoute,
  problems: ['not_found', 'rate_limited', 'range_not_satisfiable', 'unreachable', 'io'],
  async handle({ params, headers, actor }, context) {
    const installs = installsOf(context);
    installs.places.ask(actor.from);
    if (signedNames.includes(params.target)) return signedText(params.target, installs);
    return withoutDetails(context, async () => {
      if (params.target !== sumsName) return handOut(params.target, { headers, from: actor.from }, installs);
      return new Response(await installs.sums(), { headers: { 'content-type': 'text/plain; charset=utf-8' } });
    });
  },
});

export const installRoutes: readonly Route[] = [
  scriptRoute('sh', 'text/x-shellscript'),
  scriptRoute('ps1', 'text/plain'),
  download,
];
