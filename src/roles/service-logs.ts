/**
 * `octaskly service logs`: what a service said; systemd's journal, or the log file where the init system keeps none.
 * What is written anew is looked for a few times a second: a log that is set aside and begun again is followed into the
 * new file.
 */

import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { OctasklyError } from '../base/errors.ts';
import { BrokenPipe, shownOn, type Terminal } from '../cli/context.ts';
import type { ServiceRequest } from '../cli/service.ts';
import { linesOf } from '../cli/text.ts';
import { serviceName } from '../core/service/definition.ts';
import { serviceLogFile } from '../core/service/plan.ts';
import { askInit, serviceText } from '../runtime/service-host.ts';
import { absolute } from './common.ts';
import type { InstalledService } from './service-list.ts';

type LogsRequest = Extract<ServiceRequest, { readonly action: 'logs' }>;

/** Of a log file the end is read, bytes. */
const tailBytesMax = 8 * 2 ** 20;
const lookEveryMs = 250;

/** Prints the last lines, and with `follow` those to come until it is interrupted. Exit status. Errors: `not_found`, `io`. */
export async function showLogs(service: InstalledService, request: LogsRequest, terminal: Terminal): Promise<number> {
  if (service.init === 'systemd') return showJournal(service, request);
  const file = logFileOf(service, request.dataDir);
  const first = readTail(file);
  if (first === null) {
    throw new OctasklyError(
      'not_found',
      `There is no log "${file}" yet: the service has not started, or logs elsewhere (--data-dir).`,
    );
  }
  const { lines, sinceMs } = request;
  const since = sinceMs === null ? null : new Date(terminal.now() - sinceMs).toISOString();
  const chosen = first.lines.filter((line) => since === null || timeOf(line) >= since);
  await print(terminal, lines === 0 ? [] : chosen.slice(-lines));
  return request.follow ? follow(file, first.size, terminal) : 0;
}

/** The last lines of a service's log; none where it cannot be read. */
export async function lastLogLines(
  service: InstalledService,
  count: number,
  dataDir: string | null,
): Promise<readonly string[]> {
  if (service.init !== 'systemd') return readTail(logFileOf(service, dataDir))?.lines.slice(-count) ?? [];
  const answer = await askInit([...journalOf(service), '--lines', String(count), '--output', 'cat', '--quiet']);
  return answer?.status === 0 ? linesOf(answer.text) : [];
}

function journalOf(service: InstalledService): readonly [string, ...string[]] {
  const unit = `${serviceName(service)}.service`;
  return ['journalctl', '--no-pager', `${service.scope === 'user' ? '--user-unit' : '--unit'}=${unit}`];
}

async function showJournal(service: InstalledService, { follow, sinceMs, lines }: LogsRequest): Promise<number> {
  const [program, ...words] = journalOf(service);
  const found = Bun.which(program);
  if (found === null) throw new OctasklyError('io', 'Cannot show the log: there is no journalctl here.');
  const since = sinceMs === null ? [] : [`--since=-${Math.ceil(sinceMs / 1000)}s`];
  const child = Bun.spawn([found, ...words, '--lines', String(lines), ...since, ...(follow ? ['--follow'] : [])], {
    env: { ...process.env },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return child.exited;
}

function logFileOf(service: InstalledService, dataDir: string | null): string {
  const text = serviceText(service.path) ?? '';
  // A word in quotes, or an element, goes as far as these do; any other to the next space.
  const given = /["'>]--log-file=([^"'<\n]+)|--log-file=([^\s"'<]+)/
    .exec(text)
    ?.slice(1)
    .find((path) => path !== undefined);
  const place = dataDir === null ? null : serviceLogFile(service.init, service, absolute(dataDir));
  const file = place ?? given;
  if (file !== undefined) return file;
  throw new OctasklyError('not_found', `"${service.path}" does not say where its log is; name its --data-dir.`);
}

interface Tail {
  readonly lines: readonly string[];
  /** Of the file, bytes. */
  readonly size: number;
}

/** Null when there is no such file. */
function readTail(file: string): Tail | null {
  const size = statSync(file, { throwIfNoEntry: false })?.size;
  if (size === undefined) return null;
  const from = Math.max(0, size - tailBytesMax);
  const lines = linesOf(readFrom(file, from, size).toString());
  return { lines: from === 0 ? lines : lines.slice(1), size };
}

function readFrom(file: string, from: number, to: number): Buffer {
  const descriptor = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(Math.max(0, Math.min(to, fstatSync(descriptor).size) - from));
    return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, from));
  } finally {
    closeSync(descriptor);
  }
}

/** The instant at the beginning of a line, text or JSON; '' for a line without one. */
function timeOf(line: string): string {
  return /^(?:\{"time":")?(\d{4}-\d\d-\d\dT[\d:.]+Z)/.exec(line)?.[1] ?? '';
}

async function print(terminal: Terminal, lines: readonly string[]): Promise<void> {
  await terminal.stdout.write(lines.map((line) => `${shownOn(terminal.stdout, line)}\n`).join(''));
}

async function follow(file: string, size: number, terminal: Terminal): Promise<number> {
  let isOver = false;
  const unlisten = terminal.onSignal(() => {
    isOver = true;
  });
  let inode = statSync(file, { throwIfNoEntry: false })?.ino;
  let at = size;
  try {
    while (!isOver) {
      const now = statSync(file, { throwIfNoEntry: false });
      if (now !== undefined && (now.ino !== inode || now.size < at)) {
        inode = now.ino;
        at = 0;
      }
      const fresh =
        now === undefined ? '' : readFrom(file, at, Math.min(now.size, at + tailBytesMax)).toString('latin1');
      // Up to the last end of a line: what is being written comes with the next look.
      const whole = fresh.slice(0, fresh.lastIndexOf('\n') + 1);
      at += whole.length;
      await print(terminal, linesOf(Buffer.from(whole, 'latin1').toString()));
      await Bun.sleep(lookEveryMs);
    }
  } catch (error) {
    if (!(error instanceof BrokenPipe)) throw error;
  } finally {
    unlisten();
  }
  return 0;
}
