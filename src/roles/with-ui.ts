/**
 * `dispatcher --ui` and `up --ui`: the roles with the dashboard over them, in one terminal and one process. Their log
 * goes into the dashboard, and to `--log-file` where one is named; to standard error only while no dashboard stands there.
 * The dashboard is a client like any other: it talks to the REST API over loopback, with a token of the owner.
 *
 * Invariant: who leaves the dashboard, by key or by signal, ends what runs under it, in good order; and the terminal is
 * given back first.
 */

import type { Entry, Level } from '../../tui/journal.ts';
import { runDashboard } from '../../tui/run.ts';
import { answerMs, checkTerminal, screenOn } from '../cli/commands/ui.ts';
import type { DispatcherValues, UpValues } from '../cli/options.ts';
import { createClient } from '../client/client.ts';
import type { Log } from '../ports/time.ts';
import { announcedApi } from '../runtime/api-address.ts';
import type { ProcessLog } from '../runtime/log.ts';
import { entryText } from '../runtime/log-line.ts';
import { fetchFor } from '../runtime/pinned-fetch.ts';
import { createTerminal } from '../runtime/terminal.ts';
import { absolute, logOf } from './common.ts';
import { startDispatcher } from './dispatcher.ts';
import { localToken } from './own-token.ts';
import { startOwnWorker } from './up.ts';
import { untilStopped } from './worker.ts';

/** Entries of the log that wait for a dashboard; older ones are on the terminal it covers, or in the file. */
const waitingMax = 500;

/** A log that a dashboard can follow. */
interface FollowedLog {
  readonly log: ProcessLog;
  /** From here on entries go to `listener`, those of before first; returns what ends that. */
  follow(listener: (entry: Entry) => void): () => void;
}

function followedLog(values: DispatcherValues): FollowedLog {
  let listener: ((entry: Entry) => void) | null = null;
  const written = logOf(values, () => listener !== null);
  const waiting: Entry[] = [];
  const take =
    (level: Level): Log['info'] =>
    (message, fields) => {
      written[level](message, fields);
      // What asks for less than `info` asks for it in words.
      if (level === 'debug' && !values.verbose) return;
      const entry: Entry = { at: Date.now(), level, text: entryText(message, fields) };
      if (listener !== null) listener(entry);
      else if (waiting.push(entry) > waitingMax) waiting.shift();
    };
  return {
    log: { ...written, debug: take('debug'), info: take('info'), warn: take('warn'), error: take('error') },
    follow(follower) {
      listener = follower;
      for (const entry of waiting.splice(0)) follower(entry);
      return () => {
        listener = null;
      };
    },
  };
}

/**
 * Starts a dispatcher, or what `start` puts around one, and shows the dashboard until the person leaves it; then `stop`s.
 * Resolves with exit status 0. Errors: those of `start`; `usage` where there is no terminal to draw on.
 */
async function runUnderDashboard(
  values: DispatcherValues,
  leaving: string,
  start: (log: ProcessLog) => Promise<{ readonly apiUrl: string; stop(): Promise<void> }>,
): Promise<number> {
  const terminal = createTerminal();
  checkTerminal(terminal);
  const { log, follow } = followedLog(values);
  const { apiUrl, stop } = await start(log);
  try {
    const dataDir = absolute(values.dataDir);
    const baseUrl = announcedApi(dataDir) ?? apiUrl;
    const facts = { baseUrl, token: localToken(dataDir), timeoutMs: answerMs };
    const fetch = fetchFor(baseUrl, { fingerprint: null, dataDir });
    const screen = screenOn(terminal, { ascii: false, mouse: true });
    try {
      await runDashboard({
        connect: (onLost) => createClient({ ...facts, fetch, onLost }),
        ...{ screen, role: 'admin', followLog: follow, leaving },
        now: () => terminal.now(),
        onStop: (listener) => terminal.onSignal(listener),
      });
    } finally {
      screen.close();
    }
  } finally {
    await stop();
  }
  return 0;
}

/** `dispatcher --ui`. Exit status 0. Errors: those of `startDispatcher`, and `usage`. */
export function runDispatcherWithUi(values: DispatcherValues): Promise<number> {
  const leaving = 'Stop the dispatcher? Tasks that run go on at their workers.';
  return runUnderDashboard(values, leaving, (log) => startDispatcher(values, log));
}

/** `up --ui`: leaving lets the running tasks end, as a signal would. Exit status 0. Errors: those of both roles, and `usage`. */
export function runUpWithUi(values: UpValues): Promise<number> {
  const leaving = 'Stop the dispatcher and its worker, when the tasks that run here have ended?';
  return runUnderDashboard(values, leaving, async (log) => {
    const dispatcher = await startDispatcher(values, log);
    try {
      const worker = await startOwnWorker(values, dispatcher, log);
      const stop = async (): Promise<void> => {
        log.info('stopping when the running tasks have ended; Ctrl-C twice to stop now');
        worker.leave();
        await untilStopped(worker, log, values.leaveWithinMs);
        await dispatcher.stop();
      };
      return { apiUrl: dispatcher.apiUrl, stop };
    } catch (error) {
      await dispatcher.stop();
      throw error;
    }
  });
}
