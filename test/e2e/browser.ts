/**
 * A browser and the pages of strangers in it: Chromium without a window, with a fresh profile and no name but those of
 * the test, a web server that is not ours, a server that protects nothing, and what a hostile page can try.
 *
 * The attacks are functions that run inside the page (they are sent there as text, so each stands alone). Each says what
 * the page saw: the body of an answer it could read, or how it was turned down. They harm a server that lets them,
 * which `openServer` is: it tells that the attacks themselves work.
 */

import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** Where systems put it; null = there is none here. */
export const chromiumPath: string | null =
  Bun.which('chromium') ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path)) ?? null;

/** Every name below `.example` is this machine; no other name is known, so nothing leaves it. */
const names = 'MAP *.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost';

/** Starts a browser with an empty profile, which is removed when it is closed. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath ?? 'chromium',
    // Inside a container, and as root, its own sandbox cannot be set up.
    chromiumSandbox: process.getuid?.() !== 0,
    args: [
      `--host-resolver-rules=${names}`,
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // Its own guard against pages that call this machine: what is tested is ours, for browsers that have none.
      '--disable-features=LocalNetworkAccessChecks',
    ],
  });
}

/** A server on loopback. */
export interface WebServer {
  readonly port: number;
  /** `GET /path type` of each request, in order. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

/** A stranger's site: an empty page at `/`, and at `/?to=URL` a redirect that keeps method and body. */
export function serveStranger(): WebServer {
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch(request) {
      const to = new URL(request.url).searchParams.get('to');
      if (to !== null) return new Response(null, { status: 307, headers: { location: to } });
      return new Response('<!doctype html><title>stranger</title>', { headers: { 'content-type': 'text/html' } });
    },
  });
  return { port: server.port ?? 0, requests: [], close: () => server.stop(true) };
}

/** A server that allows every page everything and answers every call with `data`. */
export function serveOpenly(data: string): WebServer {
  const requests: string[] = [];
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch(request, self) {
      const { headers, method, url } = request;
      const type = (headers.get('content-type') ?? '').replace(/;.*/, '');
      const socket = headers.get('upgrade') === 'websocket';
      requests.push(`${socket ? 'WebSocket' : method} ${new URL(url).pathname} ${type}`.trim());
      if (socket && self.upgrade(request)) return;
      const isStream = headers.get('accept') === 'text/event-stream';
      return new Response(isStream ? `data: ${data}\n\n` : JSON.stringify({ data }), {
        headers: {
          'content-type': isStream ? 'text/event-stream' : 'application/json',
          'access-control-allow-origin': headers.get('origin') ?? '*',
          'access-control-allow-credentials': 'true',
          'access-control-allow-methods': 'GET, POST, PUT, DELETE',
          'access-control-allow-headers': 'content-type, authorization',
        },
      });
    },
    websocket: { message() {}, open: (opened) => void opened.send(data) },
  });
  return { port: server.port ?? 0, requests, close: () => server.stop(true) };
}

/** What an attack is aimed at. */
export interface Target {
  /** Of the API, or of a server in its place. */
  readonly url: string;
  /** Redirects to what follows it. */
  readonly bounce: string;
  /** A task that runs. */
  readonly taskId: string;
  /** What the attack would have run. */
  readonly command: string;
}

/** Runs in the page; resolves with what the page saw, one line for each call. */
type Attack = (target: Target) => Promise<string[]>;

const read: Attack = async ({ url, taskId }) => {
  const names = ['tasks', `tasks/${taskId}`, `tasks/${taskId}/output?stream=stdout`, 'workers', 'stats', 'tokens'];
  const paths = [...names, 'events', 'audit', 'approvals', 'invites'].map((name) => `/api/v1/${name}`);
  const seen: string[] = [];
  for (const mode of ['cors', 'no-cors', 'same-origin'] as const) {
    for (const path of [...paths, '/health', '/openapi.json']) {
      try {
        const signal = AbortSignal.timeout(2000);
        const credentials = mode === 'cors' ? 'omit' : 'include';
        const answer = await fetch(url + path, { mode, credentials, signal });
        seen.push(`GET ${path} ${mode}: ${answer.type} ${answer.status} ${await answer.text()}`);
      } catch (error) {
        seen.push(`GET ${path} ${mode}: ${error}`);
      }
    }
  }
  return seen;
};

const submit: Attack = async ({ url, bounce, command }) => {
  const seen: string[] = [];
  const types = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=b', ''];
  for (const type of [...types, 'application/json', 'text/plain; x=application/json']) {
    for (const mode of ['cors', 'no-cors'] as const) {
      for (const to of [`${url}/api/v1/tasks`, bounce + encodeURIComponent(`${url}/api/v1/tasks`)]) {
        try {
          const headers: Record<string, string> = type === '' ? {} : { 'content-type': type };
          const body = new TextEncoder().encode(JSON.stringify({ command }));
          const answer = await fetch(to, { method: 'POST', mode, headers, body, credentials: 'include' });
          seen.push(`POST ${to} ${type} ${mode}: ${answer.type} ${answer.status} ${await answer.text()}`);
        } catch (error) {
          seen.push(`POST ${to} ${type} ${mode}: ${error}`);
        }
      }
    }
  }
  return seen;
};

const change: Attack = async ({ url, taskId, command }) => {
  const calls: [method: string, path: string, body: string | null][] = [
    ['DELETE', `/api/v1/tasks/${taskId}`, null],
    ['POST', `/api/v1/tasks/${taskId}/retry`, null],
    ['POST', '/api/v1/pause', null],
    ['POST', '/api/v1/tokens', JSON.stringify({ name: 'evil', role: 'admin' })],
    ['POST', '/api/v1/invites', '{}'],
    ['PUT', `/api/v1/blobs/sha256:${'0'.repeat(64)}`, command],
    ['PATCH', '/api/v1/tasks', JSON.stringify({ command })],
  ];
  const seen: string[] = [];
  for (const [method, path, body] of calls) {
    for (const mode of ['cors', 'no-cors'] as const) {
      try {
        const headers = { 'content-type': 'application/json' };
        const answer = await fetch(url + path, { method, mode, body, ...(mode === 'cors' ? { headers } : {}) });
        seen.push(`${method} ${path} ${mode}: ${answer.type} ${answer.status} ${await answer.text()}`);
      } catch (error) {
        seen.push(`${method} ${path} ${mode}: ${error}`);
      }
    }
  }
  return seen;
};

const sendForms: Attack = async ({ url, bounce, taskId, command }) => {
  const seen: string[] = [];
  const target = `${url}/api/v1/tasks`;
  for (const action of [
    target,
    bounce + encodeURIComponent(target),
    `${target}/${taskId}/retry`,
    `${url}/api/v1/pause`,
  ]) {
    for (const enctype of ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain']) {
      const frame = document.createElement('iframe');
      frame.name = `form${seen.length}`;
      document.body.append(frame);
      const form = document.createElement('form');
      Object.assign(form, { method: 'POST', action, enctype, target: frame.name });
      // As text/plain, name=value is JSON.
      const field = document.createElement('input');
      field.name = enctype === 'text/plain' ? `{"command":${JSON.stringify(command)},"name":"` : 'command';
      field.value = enctype === 'text/plain' ? '"}' : command;
      form.append(field);
      document.body.append(form);
      const loaded = new Promise((resolve) => frame.addEventListener('load', resolve, { once: true }));
      form.submit();
      await Promise.race([loaded, new Promise((resolve) => setTimeout(resolve, 3000))]);
      seen.push(`form ${enctype} ${action}: ${frame.contentDocument?.body.textContent ?? 'closed'}`);
    }
  }
  return seen;
};

const embed: Attack = async ({ url, taskId }) => {
  const seen: string[] = [];
  const tags = [
    ['img', 'src'],
    ['script', 'src'],
    ['iframe', 'src'],
    ['embed', 'src'],
    ['object', 'data'],
    ['video', 'src'],
    ['link', 'href'],
  ] as const;
  for (const path of ['/api/v1/tasks', `/api/v1/tasks/${taskId}`, `/api/v1/tasks/${taskId}/output?stream=stdout`]) {
    for (const [tag, attribute] of tags) {
      const element = document.createElement(tag);
      if (tag === 'link') element.setAttribute('rel', 'stylesheet');
      element.setAttribute(attribute, url + path);
      const came = new Promise<string>((resolve) => {
        for (const type of ['load', 'error', 'loadedmetadata']) element.addEventListener(type, () => resolve(type));
        setTimeout(() => resolve('silence'), 3000);
      });
      document.body.append(element);
      const event = await came;
      const inside = 'contentDocument' in element ? element.contentDocument?.body.textContent : null;
      seen.push(`<${tag}> ${path}: ${event} ${inside ?? 'closed'}`);
    }
    const module = await import(url + path).then(JSON.stringify, String);
    seen.push(`import ${path}: ${module}`);
  }
  return seen;
};

const connect: Attack = async ({ url, command }) => {
  const task = JSON.stringify({ command });
  const heard = (source: EventTarget): Promise<string> =>
    new Promise((resolve) => {
      source.addEventListener('message', (event) => resolve(`message ${(event as MessageEvent).data}`));
      source.addEventListener('error', () => resolve('error'));
      setTimeout(() => resolve('silence'), 3000);
    });
  const events = new EventSource(`${url}/api/v1/events`, { withCredentials: true });
  const seen = [`EventSource: ${await heard(events)}`];
  events.close();
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json']) {
    const queued = navigator.sendBeacon(`${url}/api/v1/tasks`, new Blob([task], { type }));
    seen.push(`sendBeacon ${type}: ${queued}`);
  }
  await fetch(`${url}/api/v1/tasks`, { method: 'POST', mode: 'no-cors', keepalive: true, body: task }).catch(String);
  for (const path of ['/api/v1/events', '/api/v1/tasks', '/']) {
    const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`);
    socket.addEventListener('open', () => socket.send(task));
    seen.push(`WebSocket ${path}: ${await heard(socket)}`);
    socket.close();
  }
  return seen;
};

/** What a page can try, by name. */
export const attacks: Readonly<Record<string, Attack>> = { read, submit, change, sendForms, embed, connect };
