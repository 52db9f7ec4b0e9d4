/** The texts of services, read by the programs that they are for, or by others that know their form. */

import { afterAll, describe, expect, test } from 'bun:test';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandOf, type ServiceDefinition } from '../../src/core/service/definition.ts';
import { launchdPlist } from '../../src/core/service/launchd.ts';
import { openrcScript } from '../../src/core/service/openrc.ts';
import { scheduledTaskXml } from '../../src/core/service/scheduled-task.ts';
import { systemdUnit } from '../../src/core/service/systemd.ts';
import { termuxScript } from '../../src/core/service/termux.ts';
import { hostileWords, service } from '../unit/core/service/hostile.ts';

const directory = mkdtempSync(join(tmpdir(), 'octaskly-service-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const bare = { PATH: process.env.PATH ?? '' };

function run(argv: readonly string[], env: Readonly<Record<string, string>> = bare) {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...argv], { env: { ...env }, stdin: 'ignore', timeout: 20_000 });
  return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

/** Whether the program is there; says it when it is not. */
function has(program: string): boolean {
  if (Bun.which(program) !== null) return true;
  console.warn(`not tested: ${program} is not installed`);
  return false;
}

function kept(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

describe.skipIf(!has('systemd-analyze'))('systemd', () => {
  const account = { ...service, scope: 'user', account: null } as const;
  const units: readonly (readonly [string, ServiceDefinition])[] = [
    ['a worker of the machine', service],
    ['a worker of an account', account],
    ['a dispatcher of the machine', { ...service, role: 'dispatcher', bindsLowPort: true, writes: ['/tmp'] }],
    ['a dispatcher of an account', { ...account, role: 'dispatcher' }],
  ];
  test.each(units)('finds nothing wrong with the unit of %s', (_what, one) => {
    const file = kept('octaskly-x.service', systemdUnit({ ...one, program: ['/bin/true'] }));
    const { exitCode, stderr } = run(['systemd-analyze', '--man=no', 'verify', file]);
    expect(stderr.split('\n').filter((line) => line.includes('octaskly-x'))).toEqual([]);
    expect(exitCode).toBe(0);
  });

  test('finds what is wrong with another', () => {
    const file = kept('octaskly-x.service', systemdUnit(service).replace('KillMode=', 'KilMode='));
    expect(run(['systemd-analyze', '--man=no', 'verify', file]).stderr).toContain('KilMode');
  });
});

describe.skipIf(!has('python3'))('XML', () => {
  test('launchdPlist() is a property list with these words', () => {
    const file = kept('x.plist', launchdPlist(service, '/var/log/x & y.out'));
    const script = 'import plistlib,json,sys; print(json.dumps(plistlib.load(open(sys.argv[1],"rb"))))';
    const { stdout, stderr } = run(['python3', '-c', script, file]);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ Label: 'io.octaskly.worker', UserName: 'octaskly-worker', KeepAlive: true, RunAtLoad: true },
      ...{ ProgramArguments: [...commandOf(service)], StandardErrorPath: '/var/log/x & y.out' },
    });
  });

  test('scheduledTaskXml() is well-formed', () => {
    const xml = scheduledTaskXml(service, 'ann');
    writeFileSync(join(directory, 'x.xml'), Buffer.from(`\ufeff${xml}`, 'utf16le'));
    const script = 'import xml.dom.minidom,sys; print(xml.dom.minidom.parse(sys.argv[1]).documentElement.tagName)';
    expect(run(['python3', '-c', script, join(directory, 'x.xml')])).toMatchObject({ stdout: 'Task\n', stderr: '' });
  });
});

describe('shell', () => {
  test('openrcScript() gives its words through both rounds of the shell', () => {
    const file = kept('octaskly-worker', openrcScript(service));
    // As OpenRC's supervise-daemon.sh does it.
    const script = '. "$1"; eval set -- "\\"\\$command\\"" $command_args; printf "%s\\0" "$@"';
    const { stdout } = run(['sh', '-c', script, 'openrc', file]);
    expect(stdout.split('\0').slice(0, -1)).toEqual([...commandOf(service)]);
  });

  test('termuxScript() starts it with its words, again when it fails, and not when they are not valid', () => {
    const said = join(directory, 'said');
    const program = join(directory, "a program'");
    // It ends as the product does for a line that is not valid.
    writeFileSync(program, `#!/bin/sh\nprintf '%s\\0' "$@" >'${said}'\nexit 2\n`);
    writeFileSync(join(directory, 'termux-wake-lock'), '#!/bin/sh\n');
    for (const file of [program, join(directory, 'termux-wake-lock')]) chmodSync(file, 0o755);
    const pidFile = join(directory, 'its pid');
    const file = kept('boot', termuxScript({ ...service, program: [program] }, { prefix: '/usr', pidFile }));
    const script = 'sh "$1"; while [ -e "$2" ]; do sleep 0.05; done';
    run(['sh', '-c', script, 'boot', file, pidFile], { PATH: `${directory}:${bare.PATH}` });
    expect(existsSync(pidFile)).toBe(false);
    expect(readFileSync(said, 'utf8').split('\0').slice(0, -1)).toEqual(['worker', ...hostileWords]);
  });
});
