/**
 * What tools of the system answer about power, heat, networks that cost, and people, as facts. Pure: text in, null where
 * it does not say. Which tool is asked, and when, is the matter of those who read (`battery.ts`, `heat.ts`, …).
 *
 * References: org.freedesktop.login1(5), pmset(1), ioreg(8), NMMetered of NetworkManager, vcgencmd's documentation (`get_throttled`),
 * Termux:API's BatteryStatus and WifiConnectionInfo.
 */

/** Charge in percent, and whether it is on mains power; null = there is no battery, or it does not say. */
export interface Power {
  readonly batteryPercent: number | null;
  readonly charging: boolean | null;
}

/** `busctl get-property … IdleHint IdleSinceHint`: when a person was last there, ms since 1970; now while not idle. */
export function idleSince(text: string, now: number): number | null {
  const [, idle] = /^b (true|false)$/m.exec(text) ?? [];
  if (idle === undefined) return null;
  if (idle === 'false') return now;
  const microseconds = Number(/^t (\d+)$/m.exec(text)?.[1] ?? 0);
  return microseconds === 0 ? null : microseconds / 1000;
}

/** `ioreg -c IOHIDSystem`: when there was input last, ms since 1970. */
export function inputAt(text: string, now: number): number | null {
  const nanoseconds = /"HIDIdleTime" = (\d+)/.exec(text)?.[1];
  return nanoseconds === undefined ? null : now - Number(nanoseconds) / 1e6;
}

/** `pmset -g batt`. Batteries of mice and keyboards are not in it; of several that are, the lowest. */
export function macPower(text: string): Power {
  const charges = [...text.matchAll(/-InternalBattery-\d+[^\n]*?\t(\d{1,3})%/g)].map(([, charge]) => Number(charge));
  const source = /Now drawing from '([^']+)'/.exec(text)?.[1];
  if (charges.length === 0) return { batteryPercent: null, charging: null };
  return {
    batteryPercent: percent(Math.min(...charges)),
    charging: source === undefined ? null : source === 'AC Power',
  };
}

/** `pmset -g therm`: percent of its speed the processor is held to; null = it does not say. 100 = not held back. */
export function macSpeedLimit(text: string): number | null {
  const limit = /CPU_Speed_Limit\s*=\s*(\d{1,3})/.exec(text)?.[1];
  return limit === undefined ? null : Number(limit);
}

/** `termux-battery-status`: JSON. Also tells the temperature of the battery, °C. */
export function termuxPower(text: string): (Power & { readonly temperatureC: number | null }) | null {
  const { percentage, plugged, status, temperature } = fieldsOf(text);
  if (typeof percentage !== 'number') return null;
  const isPlugged = typeof plugged === 'string' && plugged.startsWith('PLUGGED_');
  return {
    batteryPercent: percent(percentage),
    charging: isPlugged || status === 'CHARGING' || status === 'FULL',
    temperatureC: typeof temperature === 'number' && temperature > 0 && temperature < 150 ? temperature : null,
  };
}

/** `termux-wifi-connectioninfo`: whether the phone is on a network that costs, which is any but Wi-Fi. */
export function termuxMetered(text: string): boolean | null {
  const state = fieldsOf(text).supplicant_state;
  return typeof state === 'string' ? state !== 'COMPLETED' : null;
}

/** `vcgencmd measure_temp`, °C. */
export function boardTemperature(text: string): number | null {
  const degrees = /^temp=(\d{1,3}(?:\.\d+)?)'C/m.exec(text)?.[1];
  return degrees === undefined ? null : Number(degrees);
}

/** `vcgencmd get_throttled`: what holds a Raspberry Pi back just now, in words; null = nothing, or it does not say. */
export function boardTrouble(text: string): string | null {
  const bits = Number(/^throttled=(0x[0-9a-f]{1,8})/im.exec(text)?.[1] ?? 0);
  const now = boardBits.filter(({ bit }) => (bits & (1 << bit)) !== 0).map(({ words }) => words);
  return now.length === 0 ? null : now.join(', ');
}

/** The lower half of the number is now, the upper one since the board was started. */
const boardBits = [
  { bit: 0, words: 'too little voltage' },
  { bit: 1, words: 'its frequency is capped' },
  { bit: 2, words: 'it is throttled' },
  { bit: 3, words: 'it is at its soft limit of temperature' },
] as const;

/** `busctl get-property … Metered` of NetworkManager: yes, no, or its guess of either; it may not know. */
export function nmMetered(text: string): boolean | null {
  const said = Number(/^u (\d)$/m.exec(text)?.[1] ?? 0);
  return said === 0 ? null : said === 1 || said === 3;
}

/** PowerShell's `NetworkCostType`: Unrestricted, Fixed (a volume that is used up), Variable (paid by the byte). */
export function windowsMetered(text: string): boolean | null {
  const said = /^(Unrestricted|Fixed|Variable)\s*$/m.exec(text)?.[1];
  return said === undefined ? null : said !== 'Unrestricted';
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function percent(value: number): number {
  return Math.max(0, Math.min(100, value));
}
