/**
 * The guard: a tiny shell that outlives the worker by a moment. It holds the reading end of a pipe; when the worker dies
 * (kill -9, a crash, the OOM killer) the pipe ends, and the guard kills every process that carries the worker's brand, in
 * bounded rounds until none is left; the first without starting any process, for there may be no room for one. Told `done` first, it leaves without killing anything.
 *
 * The brand is what a task's processes cannot lose by accident:
 *   - `OCTASKLY_GUARD=<nonce>` in the environment they were started with;
 *   - on Linux also an odd soft limit on POSIX message queues (RLIMIT_MSGQUEUE), which goes through fork, exec, setsid
 *     and `env -i` alike. The worker sets it on itself and every child inherits it; hardly anything uses such queues.
 * The guard itself carries neither: it is told both as arguments, so that it knows them however soon the worker dies.
 *
 * Deliberately not here: ending tasks while the worker lives (`linux-trees.ts`), and keeping a task that wants to break
 * out from doing so; that is the sandbox's part.
 * Invariants: one guard a process; it never keeps the worker, its terminal or its output pipes open.
 */

import { randomBytes, randomInt } from 'node:crypto';
import { reasonOf } from '../base/errors.ts';
import type { Log } from '../ports/time.ts';
import type { Limit, LinuxCalls } from './libc.ts';

/** Name of the environment variable every process of a task is started with. */
export const guardVariable = 'OCTASKLY_GUARD';

/** Rounds of looking and killing, 50 ms apart, before the guard gives up on what will not die. */
const roundsMax = 600;

/** Restarts at once after the guard was killed; later ones wait for the next task. */
const restartsMax = 10;

const script = `# octaskly guard: when its worker dies, this ends what the worker's tasks left running
trap '' HUP INT TERM QUIT PIPE
nonce=$1 limit=$2 worker=$3
while read -r word; do [ "$word" = done ] && exit 0; done
marked() {
  if [ -r /proc/self/environ ]; then
    grep -ls -e "OCTASKLY_GUARD=$nonce" -e "^Max msgqueue size  *$limit " /proc/[0-9]*/environ /proc/[0-9]*/limits |
      sed 's|/proc/||; s|/.*||' | sort -u
  else
    ps -axEww -o pid= -o command= | grep "OCTASKLY_GUAR[D]=$nonce" | sed 's/^ *//; s/ .*//'
  fi
}
# Without starting anything, which a task that filled the process table would not allow.
for directory in /proc/[0-9]*; do
  pid=\${directory#/proc/}
  [ "$pid" = "$worker" ] && continue
  while read -r word of limited value rest; do
    [ "$word $of $limited" = "Max msgqueue size" ] || continue
    [ "$value" = "$limit" ] && kill -STOP "$pid" && kill -KILL "$pid"
    break
  done <"$directory/limits"
done 2>/dev/null
round=0
while [ $round -lt ${roundsMax} ]; do
  round=$((round + 1))
  found=
  for pid in $(marked); do
    [ "$pid" = "$worker" ] && continue
    state=
    [ -r "/proc/$pid/stat" ] && read -r state <"/proc/$pid/stat"
    case "$state" in *") Z "* | *") X "*) continue ;; esac
    found="$found $pid"
  done
  [ -z "$found" ] && exit 0
  kill -STOP $found
  kill -KILL $found
  sleep 0.05 || sleep 1
done
`;

/** Below this hard limit there is no room to choose an odd soft one, so the environment alone is the brand. */
const queueBytesMin = 65_536n;

/** The guard of this process, started before the first task and again if somebody kills it. */
export class Guard {
  /** Value of `guardVariable` for the tasks of this process. */
  readonly nonce = randomBytes(16).toString('hex');
  /** Soft limit on message queues that marks the tasks of this process; null where it cannot be set. */
  readonly queueBytes: bigint | null;
  readonly #calls: LinuxCalls | null;
  readonly #log: Log;
  readonly #original: Limit | null;
  #process: Bun.Subprocess<'pipe', 'ignore', 'ignore'> | null = null;
  #restarts = 0;
  #closed = false;

  constructor(calls: LinuxCalls | null, log: Log) {
    this.#calls = calls;
    this.#log = log;
    this.#original = calls?.queueLimit() ?? null;
    const wanted = this.#original === null ? null : drawLimit(this.#original.hard);
    this.queueBytes = wanted !== null && this.#setLimit(wanted) ? wanted : null;
  }

  /** Pid of the running guard; null when there is none. */
  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  /** Starts the guard if it does not run. Never throws: without one, tasks still run, and a warning is logged. */
  ensure(): void {
    if (this.#process !== null || this.#closed || process.platform === 'win32') return;
    // The guard and what it starts must not be found by its own search.
    if (this.queueBytes !== null && this.#original !== null) this.#setLimit(this.#original.soft);
    try {
      const brand = [this.nonce, `${this.queueBytes ?? 'none'}`, `${process.pid}`];
      const child = Bun.spawn(['sh', '-c', script, 'octaskly-guard', ...brand], {
        cwd: '/',
        env: { PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin' },
        stdin: 'pipe',
        stdout: 'ignore',
        stderr: 'ignore',
        detached: true,
        onExit: () => {
          if (this.#process !== child) return;
          this.#process = null;
          // Somebody killed it. What runs must be guarded again; but a guard that cannot live is not started for ever.
          if (this.#restarts++ < restartsMax) this.ensure();
        },
      });
      child.unref();
      this.#process = child;
    } catch (error) {
      this.#log.warn('Cannot start the guard: if this worker is killed, processes of its tasks may stay', {
        reason: reasonOf(error),
      });
    } finally {
      if (this.queueBytes !== null) this.#setLimit(this.queueBytes);
    }
  }

  /** Sends the guard home without killing anything. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#original !== null) this.#setLimit(this.#original.soft);
    this.#process?.stdin.write('done\n');
    this.#process?.stdin.end();
    this.#process = null;
  }

  #setLimit(soft: bigint): boolean {
    return this.#original !== null && this.#calls?.setQueueLimit({ soft, hard: this.#original.hard }) === true;
  }
}

/** An odd value in the upper half of what is allowed: unlikely to be met by chance, and still ample. */
function drawLimit(hard: bigint): bigint | null {
  if (hard < queueBytesMin) return null;
  const top = Number(hard > 2n ** 31n ? 2n ** 31n : hard);
  return BigInt(randomInt(Math.floor(top / 4), Math.floor(top / 2)) * 2 - 1);
}
