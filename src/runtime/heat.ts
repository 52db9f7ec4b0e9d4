/**
 * How hot the machine is, and whether heat or want of power slows it down.
 *
 *   Linux          the hottest thermal zone, or the processor's own sensors; the processor's count of how often it
 *                  throttled itself
 *   Raspberry Pi   besides, what its firmware says: by the kernel where it passes it on, else `vcgencmd`, every 30 s
 *   Android        besides, the battery's temperature (Termux:API)
 *   macOS          the speed its processor is held to (`pmset -g therm`); its temperature only root may read
 *
 * Deliberately not here: what is too hot (`core/conditions.ts`). Invariants: what cannot be read is null, nothing throws
 * or waits, programs are asked in the background, and only where files say nothing.
 * Reference: Documentation/ABI/testing/sysfs-class-thermal and -hwmon of the kernel; x86/thermal_throttle.
 */

import { join } from 'node:path';
import { phoneTemperature } from './battery.ts';
import { boardTemperature, boardTrouble, macSpeedLimit } from './power-answers.ts';
import { slowReading } from './slow-reading.ts';
import { namesIn, numberOf, textOf } from './small-files.ts';
import { askTool } from './tool-answer.ts';

const isLinux = process.platform === 'linux';
const askEveryMs = 30_000;
const toolMsMax = 3000;
/** A processor that throttled itself is taken to be slowed down for this long. */
const throttledMs = 60_000;

const firmware = 'devices/platform/soc/soc:firmware/get_throttled';
const throttleCount = 'devices/system/cpu/cpu0/thermal_throttle/package_throttle_count';

async function ask(...argv: readonly [string, ...string[]]): Promise<string> {
  const answer = await askTool(argv, toolMsMax);
  return answer?.status === 0 ? answer.text : '';
}

const boardHeat = slowReading(askEveryMs, async () => boardTemperature(await ask('vcgencmd', 'measure_temp')));
const boardSlowdown = slowReading(askEveryMs, async () => boardTrouble(await ask('vcgencmd', 'get_throttled')));
const macLimit = slowReading(askEveryMs, async () => macSpeedLimit(await ask('/usr/bin/pmset', '-g', 'therm')));

/** °C, as it was last read; null = not known. `sysfs` is where /sys is mounted. */
export function readTemperature(sysfs: string): number | null {
  const folder = join(sysfs, 'class');
  return zones(folder) ?? sensors(folder) ?? phoneTemperature() ?? (isLinux ? boardHeat.latest() : null);
}

/** Why the machine is slower than it could be, as part of a sentence; null = it is not, or does not say. */
export function createSlowdown(sysfs = '/sys'): () => string | null {
  let counted = numberOf(join(sysfs, throttleCount));
  let throttledAt = Number.NEGATIVE_INFINITY;
  const throttles = (): boolean => {
    const count = numberOf(join(sysfs, throttleCount));
    if (count !== null && counted !== null && count > counted) throttledAt = performance.now();
    counted = count;
    return performance.now() - throttledAt < throttledMs;
  };
  return () => {
    if (process.platform === 'darwin') {
      const limit = macLimit.latest();
      return limit === null || limit >= 100 ? null : `its processor is held to ${limit} % of its speed`;
    }
    if (throttles()) return 'its processor throttles itself';
    const said = textOf(join(sysfs, firmware));
    if (said !== null) return boardTrouble(`throttled=0x${said.replace(/^0x/, '')}`);
    return isLinux ? boardSlowdown.latest() : null;
  };
}

function zones(folder: string): number | null {
  const names = namesIn(join(folder, 'thermal')).filter((name) => name.startsWith('thermal_zone'));
  return hottest(names.map((name) => numberOf(join(folder, 'thermal', name, 'temp'))));
}

function sensors(folder: string): number | null {
  const paths = namesIn(join(folder, 'hwmon')).map((name) => join(folder, 'hwmon', name));
  const own = paths.filter((path) =>
    /^(coretemp|k10temp|zenpower|cpu_thermal)$/.test(textOf(join(path, 'name')) ?? ''),
  );
  return hottest(own.map((path) => numberOf(join(path, 'temp1_input'))));
}

/** Of readings in thousandths of a degree; sensors that are not connected report nonsense. */
function hottest(readings: readonly (number | null)[]): number | null {
  const plausible = readings.filter((value) => value !== null).filter((value) => value > 0 && value < 150_000);
  return plausible.length === 0 ? null : Math.max(...plausible) / 1000;
}
