/**
 * What Windows tells and is told about power, by bun:ffi: when there was input last, the battery, and that the machine is
 * not to sleep.
 *
 * Invariants: elsewhere, and where a library cannot be opened, nothing is known and nothing is done; never throws.
 * References: GetLastInputInfo (winuser.h), GetTickCount, GetSystemPowerStatus and SetThreadExecutionState (winbase.h).
 */

import { dlopen, FFIType } from 'bun:ffi';
import type { Power } from './power-answers.ts';

const { i32, u32, ptr } = FFIType;

const userCalls = { GetLastInputInfo: { args: [ptr], returns: i32 } } as const;
const kernelCalls = {
  GetTickCount: { args: [], returns: u32 },
  GetSystemPowerStatus: { args: [ptr], returns: i32 },
  SetThreadExecutionState: { args: [u32], returns: u32 },
} as const;

const ES_SYSTEM_REQUIRED = 0x1;
const ES_CONTINUOUS = 0x8000_0000;
const unknownByte = 255;

function opened() {
  if (process.platform !== 'win32') return null;
  try {
    return { ...dlopen('user32.dll', userCalls).symbols, ...dlopen('kernel32.dll', kernelCalls).symbols };
  } catch {
    return null;
  }
}

let kept: ReturnType<typeof opened> | undefined;

function calls(): ReturnType<typeof opened> {
  if (kept === undefined) kept = opened();
  return kept;
}

/** Seconds since the last input of this session; null where that is not known. */
export function secondsSinceInput(): number | null {
  const windows = calls();
  // LASTINPUTINFO: its own size, then the tick of the input, in ms since the start and round after 49.7 days.
  const info = Uint32Array.of(8, 0);
  if (windows === null || windows.GetLastInputInfo(info) === 0) return null;
  return ((windows.GetTickCount() - (info[1] ?? 0)) >>> 0) / 1000;
}

/** The battery, as Windows adds them up. */
export function windowsPower(): Power {
  // SYSTEM_POWER_STATUS: on mains, flags (128 = no battery), percent, …
  const status = new Uint8Array(12);
  const isKnown = calls()?.GetSystemPowerStatus(status) ?? 0;
  const [mains = unknownByte, flags = unknownByte, charge = unknownByte] = status;
  if (isKnown === 0 || flags === unknownByte || (flags & 128) !== 0) return { batteryPercent: null, charging: null };
  return {
    batteryPercent: charge === unknownByte ? null : Math.min(100, charge),
    charging: mains === unknownByte ? null : mains === 1,
  };
}

/** Keeps the machine from sleeping by itself, until it is told otherwise or this process ends. False = cannot be. */
export function keepWindowsAwake(on: boolean): boolean {
  const previous = calls()?.SetThreadExecutionState(on ? ES_CONTINUOUS | ES_SYSTEM_REQUIRED : ES_CONTINUOUS);
  return previous !== undefined && previous !== 0;
}
