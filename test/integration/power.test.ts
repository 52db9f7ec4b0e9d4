/** Heat, people, networks and sleep, read from made-up trees of the kernel and asked of made-up programs. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Launched, Launcher, LaunchPlan, ProcessEnd } from '../../src/ports/processes.ts';
import { awakeWhileRunning } from '../../src/runtime/awake.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createSlowdown } from '../../src/runtime/heat.ts';
import { readVitals } from '../../src/runtime/host.ts';
import { goesByModem } from '../../src/runtime/metered.ts';
import { slowReading } from '../../src/runtime/slow-reading.ts';
import { hasDesktop, terminalUsedAt } from '../../src/runtime/untouched.ts';
import { ownWakeAddresses } from '../../src/runtime/waker.ts';
import { until } from '../e2e/site.ts';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'power-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function tree(name: string, files: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name, path)), { recursive: true });
    writeFileSync(join(directory, name, path), `${text}\n`);
  }
  return join(directory, name);
}

test('readVitals() reckons the charge of a battery that tells only what is in it, and passes over an empty bay', () => {
  const laptop = tree('bay', {
    'class/power_supply/BAT0/type': 'Battery',
    'class/power_supply/BAT0/present': '1',
    'class/power_supply/BAT0/energy_now': '30000000',
    'class/power_supply/BAT0/energy_full': '40000000',
    'class/power_supply/BAT0/status': 'Charging',
    'class/power_supply/BAT1/type': 'Battery',
    'class/power_supply/BAT1/present': '0',
    'class/power_supply/BAT1/capacity': '0',
  });
  expect(readVitals(laptop)).toMatchObject({ batteryPercent: 75, charging: true });
});

describe('createSlowdown()', () => {
  test('tells of a processor that throttled itself since the last look', () => {
    const file = 'devices/system/cpu/cpu0/thermal_throttle/package_throttle_count';
    const sysfs = tree('cpu', { [file]: '12' });
    const slowdown = createSlowdown(sysfs);
    expect(slowdown()).toBeNull();
    tree('cpu', { [file]: '13' });
    expect([slowdown(), slowdown()]).toEqual(['its processor throttles itself', 'its processor throttles itself']);
  });

  test('tells what the firmware of a Raspberry Pi says by the kernel', () => {
    const file = 'devices/platform/soc/soc:firmware/get_throttled';
    const slowdown = createSlowdown(tree('pi', { [file]: '50005' }));
    expect(slowdown()).toBe('too little voltage, it is throttled');
    tree('pi', { [file]: '50000' });
    expect(slowdown()).toBeNull();
  });
});

describe('terminalUsedAt()', () => {
  const at = (seconds: number) => new Date(1_795_000_000_000 + seconds * 1000);

  test('is when the last of the terminals was read from, those of own tasks aside', () => {
    const root = tree('terminals', { 'dev/pts/0': '', 'dev/pts/1': '', 'dev/tty1': '', 'dev/ttyS0': '' });
    tree('terminals', { 'proc/self/fdinfo/9': 'pos:\t0\ntty-index:\t1', 'proc/self/fd/1': '' });
    symlinkSync('/dev/pts/ptmx', join(root, 'proc/self/fd/9'));
    const used = { 'dev/pts/0': 50, 'dev/pts/1': 90, 'dev/tty1': 20, 'dev/ttyS0': 99 };
    for (const [path, seconds] of Object.entries(used)) utimesSync(join(root, path), at(seconds), at(0));
    expect(terminalUsedAt(root)).toBe(at(50).getTime());
  });

  test('is null without terminals', () => {
    expect(terminalUsedAt(join(directory, 'nothing'))).toBeNull();
  });
});

test('hasDesktop() tells sessions of people at a desktop from others', () => {
  const session = (name: string, text: string): string => tree(name, { 'run/systemd/sessions/2': text });
  expect(hasDesktop(session('desk', 'UID=1000\nTYPE=wayland\nCLASS=user'))).toBe(true);
  expect(hasDesktop(session('ssh', 'UID=1000\nTYPE=tty\nCLASS=user'))).toBe(false);
  expect(hasDesktop(session('greeter', 'UID=42\nTYPE=x11\nCLASS=greeter'))).toBe(false);
});

test('goesByModem() looks at the ways out', () => {
  const head = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT';
  const way = (name: string): string => `${name}\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0`;
  const root = (name: string, ...names: readonly string[]): string =>
    tree(name, { 'proc/net/route': [head, ...names.map(way)].join('\n') });
  expect(goesByModem(root('stick', 'wwan0'))).toBe(true);
  expect(goesByModem(root('both', 'wwan0', 'eth0'))).toBe(false);
  expect(goesByModem(root('alone'))).toBeNull();
});

test('slowReading() gives what was read last, and reads in the background, one at a time', async () => {
  let reads = 0;
  const gate = Promise.withResolvers<number>();
  const reading = slowReading(60_000, () => {
    reads += 1;
    return gate.promise;
  });
  expect([reading.latest(), reading.latest(), reads]).toEqual([null, null, 1]);
  gate.resolve(7);
  await until('it was read', () => reading.latest() === 7);
  expect(reads).toBe(1);
  const failing = slowReading(0, () => Promise.reject(new Error('gone')));
  expect(failing.latest()).toBeNull();
});

describe.skipIf(process.platform !== 'linux')('programs of the system', () => {
  /** What a process says, asked once a moment until it knows: `ask` is its source, on a machine with these programs. */
  async function answered(ask: string, programs: Readonly<Record<string, string>>, env: Record<string, string> = {}) {
    const folder = tree('programs', {});
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    for (const [name, text] of Object.entries(programs)) {
      writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    }
    const room = join(import.meta.dir, '../../src/runtime');
    const script = join(directory, 'ask.ts');
    const until = 'for (let i = 0; i < 300 && ask() === null; i++) await Bun.sleep(10);';
    const imports = ['battery', 'heat', 'metered'].map((name, i) => `import * as m${i} from '${room}/${name}.ts';`);
    writeFileSync(
      script,
      `${imports.join(' ')} const ask = () => ${ask}; ${until} console.log(JSON.stringify(ask())); process.exit(0);`,
    );
    const child = Bun.spawn([process.execPath, script], {
      env: { PATH: `${folder}:/usr/bin:/bin`, ...env },
      ...{ stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' },
    });
    return JSON.parse(await new Response(child.stdout).text()) as unknown;
  }
  const android = { ANDROID_ROOT: '/system', PREFIX: '/data/usr', OCTASKLY_SECRET: 'x' };

  test('of Termux tell the battery and the network, and are given no secrets', async () => {
    const battery = `[ -n "$PREFIX" ] && [ -z "$OCTASKLY_SECRET" ] && echo '{"percentage":41,"plugged":"UNPLUGGED"}'`;
    const power = "(m0.readPower('/nowhere').batteryPercent === null ? null : m0.readPower('/nowhere'))";
    expect(await answered(power, { 'termux-battery-status': battery }, android)).toEqual({
      ...{ batteryPercent: 41, charging: false },
    });
    const wifi = `echo '{"supplicant_state":"DISCONNECTED"}'`;
    expect(await answered('m2.isMetered()', { 'termux-wifi-connectioninfo': wifi }, android)).toBe(true);
  });

  test('of a Raspberry Pi tell its heat and what holds it back, where files do not', async () => {
    const vcgencmd = `[ "$1" = measure_temp ] && echo "temp=61.8'C" || echo throttled=0x4`;
    expect(await answered("m1.readTemperature('/nowhere')", { vcgencmd })).toBe(61.8);
    expect(await answered("(globalThis.s ??= m1.createSlowdown('/nowhere'))()", { vcgencmd })).toBe('it is throttled');
  });

  test('of NetworkManager tell whether the network is metered', async () => {
    expect(await answered('m2.isMetered() || null', { busctl: 'echo "u 3"' })).toBe(true);
  });
});

test('ownWakeAddresses() tells this machine itself nothing', async () => {
  expect(await ownWakeAddresses([], '127.0.0.1:7878')).toEqual([]);
  expect(await ownWakeAddresses([], '[::1]:7878')).toEqual([]);
});

describe('awakeWhileRunning()', () => {
  /** A launcher whose one process ends when told to. */
  function fakeLauncher(): { launcher: Launcher & { close(): void }; end(): void } {
    const { promise, resolve } = Promise.withResolvers<ProcessEnd>();
    const launched = { ended: promise } as Launched;
    return { launcher: { launch: () => launched, close: () => undefined }, end: () => resolve({} as ProcessEnd) };
  }

  test('holds by a program that ends with this process, the next best where the best is refused', async () => {
    if (process.platform !== 'linux') return;
    const noted = join(directory, 'inhibit.log');
    const program = join(tree('bin', { 'systemd-inhibit': '' }), 'systemd-inhibit');
    const lines = [
      ...['#!/bin/sh', `echo "$1 $$" >> ${noted}`],
      'case $1 in *=sleep:idle) echo Access denied >&2; exit 1 ;; esac',
      'while [ $# -gt 1 ]; do shift; done; "$1"',
    ];
    writeFileSync(program, lines.join('\n'));
    chmodSync(program, 0o755);
    const worker = join(directory, 'worker.ts');
    const source = (name: string): string => join(import.meta.dir, '../../src/runtime', name);
    writeFileSync(
      worker,
      `import { awakeWhileRunning } from '${source('awake.ts')}';
       import { systemClock as clock } from '${source('clock.ts')}';
       const log = { debug: console.log };
       const launcher = { launch: () => ({ ended: new Promise(() => {}) }), close() {} };
       awakeWhileRunning(launcher, { clock, log }).launch();
       setInterval(() => {}, 1000);`,
    );
    const env = { PATH: `${dirname(program)}:${process.env.PATH ?? '/usr/bin:/bin'}` };
    const child = Bun.spawn([process.execPath, worker], { env, stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' });
    const tried = (): string[] => {
      try {
        return readFileSync(noted, 'utf8').trim().split('\n');
      } catch {
        return [];
      }
    };
    await until('both ways were tried', () => tried().length === 2);
    expect(tried().map((line) => line.split(' ')[0])).toEqual(['--what=sleep:idle', '--what=idle']);
    const pid = Number(tried()[1]?.split(' ')[1]);
    expect(() => process.kill(pid, 0)).not.toThrow();
    child.kill('SIGKILL');
    expect(await new Response(child.stdout).text()).toContain('Access denied');
    await until('it ended with the worker', () => {
      try {
        return process.kill(pid, 0) && readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
      } catch {
        return true;
      }
    });
  });

  test('begins after 2 s of work, and not for a short task', async () => {
    let held = 0;
    const ways = [
      () => {
        held += 1;
        return { release: () => undefined, ended: new Promise<null>(() => undefined) };
      },
    ];
    const due: (() => void)[] = [];
    const clock = {
      ...systemClock,
      after: (_ms: number, action: () => void) => {
        due.push(action);
        return { cancel: () => undefined };
      },
    };
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const short = fakeLauncher();
    const awake = awakeWhileRunning(short.launcher, { clock, log, ways });
    awake.launch({} as LaunchPlan, () => undefined);
    short.end();
    await Bun.sleep(0);
    due.shift()?.();
    expect(held).toBe(0);
    const long = fakeLauncher();
    const longAwake = awakeWhileRunning(long.launcher, { clock, log, ways });
    longAwake.launch({} as LaunchPlan, () => undefined);
    due.shift()?.();
    expect(held).toBe(1);
    longAwake.close();
  });
});
