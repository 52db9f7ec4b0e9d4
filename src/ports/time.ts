/**
 * Time, chance and the log, as the drivers see them. Each contract says what is guaranteed, what is not, what ends it and
 * what is bounded; `runtime/` implements them, the simulation implements them again.
 */

/** A timer that was set; `cancel` is idempotent and safe after it fired. */
export interface Timer {
  cancel(): void;
}

/**
 * Time. `steady` never goes back and ignores clock changes: every deadline uses it. `wall` is for records and people.
 * Guarantee: callbacks run from the event loop, never inside the call that set them.
 */
export interface Clock {
  /** Milliseconds from an arbitrary start, never decreasing. */
  steady(): number;
  /** Milliseconds since 1970 by the system's clock; may jump either way. */
  wall(): number;
  /** Runs `action` once, not earlier than `delayMs` from now. */
  after(delayMs: number, action: () => void): Timer;
  /** Runs `action` once the current burst of I/O has been taken in: what makes group commit and batching free. */
  soon(action: () => void): void;
}

/** Randomness for ids and nonces; secret material comes from `wire/noise`'s crypto, not from here. */
export interface Random {
  bytes(count: number): Uint8Array;
}

/** Structured log. `fields` hold no secrets. Never throws, never blocks for long. */
export interface Log {
  /** True where `debug` is written down: who would say very much by it need not otherwise. */
  readonly isVerbose?: boolean;
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}
