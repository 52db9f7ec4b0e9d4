/** What tools of the system answer: texts after their documentation, not recorded on such devices. */

import { describe, expect, test } from 'bun:test';
import {
  boardTemperature,
  boardTrouble,
  idleSince,
  inputAt,
  macPower,
  macSpeedLimit,
  nmMetered,
  termuxMetered,
  termuxPower,
  windowsMetered,
} from '../../../src/runtime/power-answers.ts';

test('idleSince() is now while somebody is there, and when that began to be otherwise', () => {
  expect(idleSince('b false\nt 1795283017000000\n', 77)).toBe(77);
  expect(idleSince('b true\nt 1795283017000000\n', 77)).toBe(1_795_283_017_000);
  expect(idleSince('b true\nt 0\n', 77)).toBeNull();
  expect(idleSince('Failed to get property\n', 77)).toBeNull();
});

test('inputAt() reads nanoseconds since the last input', () => {
  const text = '+-o IOHIDSystem  <class IOHIDSystem>\n    {\n      "HIDIdleTime" = 1234567890\n    }\n';
  expect(inputAt(text, 10_000)).toBeCloseTo(8765.43, 1);
  expect(inputAt('', 10_000)).toBeNull();
});

describe('macPower()', () => {
  test('reads a laptop on battery and on mains', () => {
    const on = (source: string, rest: string): string =>
      `Now drawing from '${source}'\n -InternalBattery-0 (id=4456547)\t${rest} present: true\n`;
    expect(macPower(on('Battery Power', '82%; discharging; 4:10 remaining'))).toEqual({
      ...{ batteryPercent: 82, charging: false },
    });
    expect(macPower(on('AC Power', '100%; charged; 0:00 remaining'))).toEqual({ batteryPercent: 100, charging: true });
  });

  test('is nothing for a desktop', () => {
    expect(macPower("Now drawing from 'AC Power'\n")).toEqual({ batteryPercent: null, charging: null });
  });
});

test('macSpeedLimit() is what the processor is held to', () => {
  expect(macSpeedLimit('2026-11-21 CPU Power notify\n\tCPU_Scheduler_Limit \t= 100\n\tCPU_Speed_Limit \t= 61\n')).toBe(
    61,
  );
  expect(macSpeedLimit('Note: No thermal warning level has been recorded\n')).toBeNull();
});

describe('termuxPower()', () => {
  const answer = { health: 'GOOD', percentage: 64, plugged: 'UNPLUGGED', status: 'DISCHARGING', temperature: 31.2 };
  const read = (changed: object = {}) => termuxPower(JSON.stringify({ ...answer, ...changed }));

  test('reads charge, plug and temperature', () => {
    expect(read()).toEqual({ batteryPercent: 64, charging: false, temperatureC: 31.2 });
    expect(read({ plugged: 'PLUGGED_AC', status: 'NOT_CHARGING' })?.charging).toBe(true);
    expect(read({ percentage: 140, temperature: -99 })).toMatchObject({ batteryPercent: 100, temperatureC: null });
  });

  test('is null for what is no answer', () => {
    expect([termuxPower(''), termuxPower('[]'), termuxPower('null'), read({ percentage: '64' })]).toEqual([
      ...[null, null, null, null],
    ]);
  });
});

test('termuxMetered() is any network but Wi-Fi', () => {
  expect(termuxMetered('{"ssid":"home","supplicant_state":"COMPLETED"}')).toBe(false);
  expect(termuxMetered('{"supplicant_state":"DISCONNECTED"}')).toBe(true);
  expect(termuxMetered('{"API_ERROR":"No current connection"}')).toBeNull();
});

test('boardTemperature() and boardTrouble() read vcgencmd: what was is no trouble any more', () => {
  expect([boardTemperature("temp=48.3'C\n"), boardTemperature('VCHI initialization failed\n')]).toEqual([48.3, null]);
  expect(boardTrouble('throttled=0x0\n')).toBeNull();
  expect(boardTrouble('throttled=0x50000\n')).toBeNull();
  expect(boardTrouble('throttled=0x50005\n')).toBe('too little voltage, it is throttled');
  expect(boardTrouble('throttled=0x8\n')).toBe('it is at its soft limit of temperature');
  expect(boardTrouble('')).toBeNull();
});

test('nmMetered() takes guesses of NetworkManager, and leaves open what it does not know', () => {
  expect([0, 1, 2, 3, 4].map((said) => nmMetered(`u ${said}\n`))).toEqual([null, true, false, true, false]);
  expect(nmMetered('Failed to get property Metered\n')).toBeNull();
});

test('windowsMetered() is any cost there is', () => {
  expect([windowsMetered('Unrestricted\r\n'), windowsMetered('Variable\r\n'), windowsMetered('')]).toEqual([
    ...[false, true, null],
  ]);
});
