/** The texts of services: what is written is what is read back, whatever an option holds. */

import { describe, expect, test } from 'bun:test';
import { commandOf, serviceName, shellQuoted } from '../../../../src/core/service/definition.ts';
import { launchdPlist } from '../../../../src/core/service/launchd.ts';
import { scheduledTaskXml, windowsQuoted } from '../../../../src/core/service/scheduled-task.ts';
import { execLine, systemdUnit } from '../../../../src/core/service/systemd.ts';
import { hostileWords, service } from './hostile.ts';

const lineOf = (text: string, key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1] ?? '';

/** Double-quoted words as systemd.syntax(7) and systemd.service(5) have them, specifiers and variables undone. */
function readExec(line: string): string[] {
  const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', '"': '"', '\\': '\\' };
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = ''], index) => {
    const plain = word.replace(/\\(x([0-9a-f]{2})|.)/g, (_all, char: string, code?: string) =>
      code === undefined ? (escapes[char] ?? '?') : String.fromCharCode(Number.parseInt(code, 16)),
    );
    const specified = plain.replace(/%(.)/g, (_all, char) => (char === '%' ? '%' : '<specifier>'));
    return index === 0 ? specified : specified.replace(/\$(.?)/g, (_all, char) => (char === '$' ? '$' : '<variable>'));
  });
}

/** CommandLineToArgvW, as Microsoft describes it. */
function readWindows(line: string): string[] {
  const words: string[] = [];
  let word = '';
  let isQuoted = false;
  let isWord = false;
  for (const [run, slashes = '', quote = '', other = ''] of line.matchAll(/(\\*)(?:(")|([^\\]|$))/gs)) {
    if (run === '') break;
    isWord ||= slashes !== '' || quote !== '' || !/^\s?$/.test(other);
    if (quote !== '') {
      word += '\\'.repeat(Math.floor(slashes.length / 2));
      if (slashes.length % 2 === 1) word += '"';
      else isQuoted = !isQuoted;
      continue;
    }
    word += slashes;
    if (isQuoted || !/^\s$/.test(other)) word += other;
    else {
      if (isWord) words.push(word);
      word = '';
      isWord = false;
    }
  }
  return isWord ? [...words, word] : words;
}

const unescapeXml = (text: string): string =>
  text
    .replace(/&#(\d+);/g, (_all, code) => String.fromCharCode(Number(code)))
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&');

describe('systemdUnit()', () => {
  test('holds each word as it is', () => {
    expect(readExec(lineOf(systemdUnit(service), 'ExecStart'))).toEqual([...commandOf(service)]);
  });

  test('keeps each setting on one line', () => {
    const lines = systemdUnit(service).split('\n');
    expect(lines.filter((line) => !/^(#.*|\[\w+\]|[A-Z]\w*=.*|)$/.test(line))).toEqual([]);
  });

  test('delegates control groups to a worker, and ends them with it', () => {
    const unit = systemdUnit(service);
    for (const setting of ['Delegate=yes', 'OOMPolicy=continue', 'KillMode=control-group', 'User=octaskly-worker'])
      expect(unit).toContain(`\n${setting}\n`);
    expect(Number(lineOf(unit, 'TimeoutStopSec'))).toBe(45);
  });

  test('takes from a worker nothing that its tasks need', () => {
    const kept = ['NoNewPrivileges', 'ProtectKernelTunables', 'ProtectClock', 'RestrictNamespaces', 'PrivateDevices'];
    for (const scope of ['user', 'system'] as const)
      for (const setting of kept) expect(systemdUnit({ ...service, scope })).not.toContain(`${setting}=`);
  });

  test('locks a dispatcher in, but for where it writes and ports that take a right', () => {
    const dispatcher = { ...service, role: 'dispatcher', writes: ['/srv/a b%c'] } as const;
    const unit = systemdUnit(dispatcher);
    expect(unit).toContain('\nNoNewPrivileges=yes\n');
    expect(unit).toContain('\nReadWritePaths="/srv/a b%%c"\n');
    expect(unit).toContain('\nCapabilityBoundingSet=\n');
    expect(unit).not.toContain('Delegate');
    expect(systemdUnit({ ...dispatcher, bindsLowPort: true })).toContain(
      '\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n',
    );
  });

  test('of an account names none, and waits for no network', () => {
    const unit = systemdUnit({ ...service, scope: 'user', account: null });
    expect(unit).not.toMatch(/^(User|After|StateDirectory)=/m);
    expect(lineOf(unit, 'WantedBy')).toBe('default.target');
  });

  test.each(['octaskly', '/a"b', '/a\\b', '/a\nb'])('execLine() refuses the program %j', (program) => {
    expect(() => execLine([program])).toThrow('systemd starts no program');
  });
});

describe('the other texts', () => {
  test('windowsQuoted() is read back by the rules of Windows', () => {
    const words = [...hostileWords, 'a\\"b', 'C:\\a b\\', 'x\\\\'];
    expect(readWindows(words.map(windowsQuoted).join(' '))).toEqual(words);
  });

  test('scheduledTaskXml() holds the command line, without limits', () => {
    const xml = scheduledTaskXml({ ...service, scope: 'user' }, 'PC\\<ann>');
    const [, line = ''] = /<Arguments>(.*)<\/Arguments>/.exec(xml) ?? [];
    expect(readWindows(unescapeXml(line))).toEqual(['worker', ...hostileWords]);
    expect(xml).toContain('<UserId>PC\\&lt;ann&gt;</UserId>');
    expect(xml).toContain('<ExecutionTimeLimit>PT0S</ExecutionTimeLimit>');
    expect(xml).toContain('<DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>');
  });

  test('launchdPlist() refuses what XML cannot hold', () => {
    expect(() => launchdPlist({ ...service, options: ['--label=\u0007'] }, '/x')).toThrow('control character');
  });

  test('shellQuoted() leaves plain words alone', () => {
    expect(shellQuoted('--port=1')).toBe('--port=1');
    expect(shellQuoted("it's")).toBe("'it'\\''s'");
    expect(shellQuoted('')).toBe("''");
  });

  test('serviceName() tells instances apart', () => {
    expect(serviceName({ role: 'worker', instance: null })).toBe('octaskly-worker');
    expect(serviceName({ role: 'worker', instance: 'attic' })).toBe('octaskly-worker-attic');
  });
});
