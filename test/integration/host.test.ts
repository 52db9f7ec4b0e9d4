/** What the host is asked, against this machine and against a made-up /sys. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { countAmd, detectResources, readVitals } from '../../src/runtime/host.ts';

let sysfs: string;

beforeAll(() => {
  sysfs = mkdtempSync(join(tmpdir(), 'sysfs-'));
});
afterAll(() => rmSync(sysfs, { recursive: true }));

function machine(name: string, files: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(sysfs, name, path)), { recursive: true });
    writeFileSync(join(sysfs, name, path), `${text}\n`);
  }
  return join(sysfs, name);
}

describe('readVitals()', () => {
  test('gives plausible numbers here', () => {
    const vitals = readVitals();
    expect(vitals.load1).toBeGreaterThanOrEqual(0);
    expect(vitals.memoryFreeMb).toBeGreaterThan(0);
    expect(vitals.memoryFreeMb).toBeLessThanOrEqual(totalmem() / 1024 / 1024);
  });

  test('is null where there is no battery and no sensor', () => {
    const desktop = machine('desktop', { 'class/power_supply/AC/type': 'Mains', 'class/power_supply/AC/online': '1' });
    expect(readVitals(desktop)).toMatchObject({ batteryPercent: null, charging: null, temperatureC: null });
    expect(readVitals(join(sysfs, 'nothing'))).toMatchObject({
      batteryPercent: null,
      charging: null,
      temperatureC: null,
    });
  });

  test('reads the lowest battery of a laptop, not that of its mouse', () => {
    const laptop = machine('laptop', {
      'class/power_supply/AC/type': 'Mains',
      'class/power_supply/AC/online': '0',
      'class/power_supply/BAT0/type': 'Battery',
      'class/power_supply/BAT0/capacity': '83',
      'class/power_supply/BAT0/status': 'Discharging',
      'class/power_supply/BAT1/type': 'Battery',
      'class/power_supply/BAT1/capacity': '40',
      'class/power_supply/BAT1/status': 'Not charging',
      'class/power_supply/mouse/type': 'Battery',
      'class/power_supply/mouse/scope': 'Device',
      'class/power_supply/mouse/capacity': '5',
      'class/power_supply/mouse/status': 'Charging',
      'class/hwmon/hwmon0/name': 'nvme',
      'class/hwmon/hwmon0/temp1_input': '70000',
      'class/hwmon/hwmon1/name': 'coretemp',
      'class/hwmon/hwmon1/temp1_input': '48500',
    });
    expect(readVitals(laptop)).toMatchObject({ batteryPercent: 40, charging: false, temperatureC: 48.5 });
    machine('laptop', { 'class/power_supply/AC/online': '1' });
    expect(readVitals(laptop).charging).toBe(true);
  });

  test('takes the hottest zone, without sensors that report nonsense', () => {
    const board = machine('board', {
      'class/thermal/thermal_zone0/temp': '51000',
      'class/thermal/thermal_zone1/temp': '62100',
      'class/thermal/thermal_zone2/temp': '-273000',
      'class/thermal/thermal_zone3/temp': '200000',
      'class/thermal/cooling_device0/temp': '99000',
    });
    expect(readVitals(board).temperatureC).toBe(62.1);
  });
});

test('countAmd() counts cards with video memory, not their connectors', () => {
  const gaming = machine('gaming', {
    'class/drm/card0/device/mem_info_vram_total': '17163091968',
    'class/drm/card0-DP-1/device/mem_info_vram_total': '17163091968',
    'class/drm/card1/device/vendor': '0x8086',
  });
  expect([countAmd(gaming), countAmd(join(sysfs, 'nothing'))]).toEqual([1, 0]);
});

test('detectResources() tells what this process may use', async () => {
  const found = await detectResources();
  expect(found.cpuCores).toBe(availableParallelism());
  expect(found.memoryMb).toBeGreaterThan(16);
  expect(found.memoryMb).toBeLessThanOrEqual(Math.floor(totalmem() / 1024 / 1024));
  expect(found).toMatchObject({ platform: process.platform, arch: process.arch });
  expect(Number.isInteger(found.gpu)).toBe(true);
});
