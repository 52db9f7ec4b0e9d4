/**
 * How full the battery is, and whether the machine is on mains power.
 *
 *   Linux     /sys/class/power_supply: the machine's own batteries, of several the emptiest; not those of mice and pens
 *   Android   the same, and where apps may not read it `termux-battery-status` (Termux:API), at most once a minute
 *   macOS     `pmset -g batt`                Windows   GetSystemPowerStatus
 *
 * Deliberately not here: what to make of it (`core/conditions.ts`). Invariants: no battery is null, nothing throws or
 * waits, programs are asked in the background. Reference: Documentation/ABI/testing/sysfs-class-power of the kernel.
 */

import { join } from 'node:path';
import { isAndroid } from './android.ts';
import { macPower, type Power, termuxPower } from './power-answers.ts';
import { slowReading } from './slow-reading.ts';
import { namesIn, numberOf, textOf } from './small-files.ts';
import { askTermux, askTool } from './tool-answer.ts';
import { windowsPower } from './windows-power.ts';

const none: Power = { batteryPercent: null, charging: null };

const onMac = slowReading(30_000, async () => {
  const answer = await askTool(['/usr/bin/pmset', '-g', 'batt'], 3000);
  return answer?.status === 0 ? macPower(answer.text) : null;
});

/** Termux:API needs seconds when the phone sleeps. */
const onPhone = slowReading(60_000, async () => {
  const answer = await askTermux(['termux-battery-status'], 10_000);
  return answer?.status === 0 ? termuxPower(answer.text) : null;
});

/** The battery as it was last read. `sysfs` is where /sys is mounted. */
export function readPower(sysfs: string): Power {
  if (process.platform === 'darwin') return onMac.latest() ?? none;
  if (process.platform === 'win32') return windowsPower();
  const power = sysfsPower(join(sysfs, 'class/power_supply'));
  if (power.batteryPercent !== null || !isAndroid()) return power;
  const { batteryPercent, charging } = onPhone.latest() ?? none;
  return { batteryPercent, charging };
}

/** Temperature of a phone's battery, °C, where its processor's is not to be read; null = not known. */
export function phoneTemperature(): number | null {
  return isAndroid() ? (onPhone.latest()?.temperatureC ?? null) : null;
}

function sysfsPower(folder: string): Power {
  const charges: number[] = [];
  let charging = false;
  for (const name of namesIn(folder)) {
    const supply = join(folder, name);
    if (textOf(join(supply, 'scope')) === 'Device') continue;
    if (textOf(join(supply, 'type')) !== 'Battery') {
      charging ||= textOf(join(supply, 'online')) === '1';
      continue;
    }
    const charge = textOf(join(supply, 'present')) === '0' ? null : chargeOf(supply);
    if (charge === null) continue;
    charges.push(Math.max(0, Math.min(100, charge)));
    charging ||= ['Charging', 'Full'].includes(textOf(join(supply, 'status')) ?? '');
  }
  return charges.length === 0 ? none : { batteryPercent: Math.min(...charges), charging };
}

/** Percent. Some drivers tell only what is in it, and what can be. */
function chargeOf(supply: string): number | null {
  const told = numberOf(join(supply, 'capacity'));
  if (told !== null) return told;
  for (const unit of ['energy', 'charge']) {
    const [now, full] = [numberOf(join(supply, `${unit}_now`)), numberOf(join(supply, `${unit}_full`))];
    if (now !== null && full !== null && full > 0) return (100 * now) / full;
  }
  return null;
}
