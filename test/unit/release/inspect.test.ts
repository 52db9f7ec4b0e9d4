import { describe, expect, test } from 'bun:test';
import { type Inspection, inspect, problemsFor } from '../../../scripts/release/inspect.ts';
import { switchOffIn } from '../../../scripts/release/runtimes.ts';
import { type Target, targetNamed } from '../../../src/core/targets.ts';

function named(name: string): Target {
  const target = targetNamed(name);
  if (target === undefined) throw new Error(`${name} is no target`);
  return target;
}

const embedded = [
  'COMMANDS-1hcb2rsj.md',
  'chunk-bytng0y5.css',
  'index-x1b15rsn.html',
  'main-1221tpph.js',
  'xterm-xtanmht4.',
];

const good: Inspection = {
  ...{ format: 'ELF', machine: 'x64', interpreter: '/lib64/ld-linux-x86-64.so.2', libraries: ['libc.so.6'] },
  ...{ glibcMin: '2.17', signature: 'none', embedded, debugIds: [], canBeRuntime: false },
};

describe('problemsFor()', () => {
  test('finds none where all is as it should be', () => expect(problemsFor(named('linux-x64'), good)).toEqual([]));

  test.each([
    ['another format', { format: 'PE' }, 'its format is PE, it should be ELF'],
    ['another processor', { machine: 'arm64' }, 'its machine is arm64, it should be x64'],
    ['the loader of musl', { interpreter: '/lib/ld-musl-x86_64.so.1' }, 'it should be /lib64/ld-linux-x86-64.so.2'],
    ['no loader', { interpreter: null }, 'its interpreter is none'],
    ['a library that systems do not have', { libraries: ['libc.so.6', 'libssl.so.3'] }, 'it needs libssl.so.3'],
    ['no page', { embedded: embedded.filter((name) => !name.endsWith('.html')) }, 'no embedded file like'],
    ['the way back to the runtime', { canBeRuntime: true }, 'BUN_BE_BUN still makes it the bare runtime'],
  ] as const)('finds %s', (_what, wrong, problem) => {
    expect(problemsFor(named('linux-x64'), { ...good, ...wrong })).toEqual([expect.stringContaining(problem)]);
  });

  test('asks for a signature on macOS, and for none on Windows', () => {
    const mac = {
      ...good,
      format: 'Mach-O',
      interpreter: '/usr/lib/dyld',
      libraries: ['/usr/lib/libSystem.B.dylib'],
    } as const;
    expect(problemsFor(named('darwin-x64'), { ...mac, signature: 'ad hoc' })).toEqual([]);
    expect(problemsFor(named('darwin-x64'), mac)).toEqual(['its signature is none, it should be ad hoc']);
    const windows = { ...good, format: 'PE', interpreter: null, libraries: ['KERNEL32.dll'] } as const;
    expect(problemsFor(named('windows-x64'), windows)).toEqual([]);
    expect(problemsFor(named('windows-x64'), { ...windows, signature: 'not checked' })).toHaveLength(1);
  });

  test('looks for nothing of Bun in a file that Node runs', () => {
    const node = { ...good, machine: 'armv7', interpreter: '/lib/ld-linux-armhf.so.3', embedded: [] };
    expect(problemsFor(named('linux-armv7'), node)).toEqual([]);
  });
});

describe('inspect()', () => {
  test('finds embedded files and ids of source maps by their names, without what follows them', () => {
    const id = 'A'.repeat(32);
    const file = Buffer.from(
      `x/$bunfs/root/main-1221tpph.js%/$bunfs/root/other B:/~BUN/root/a-12345678.css\0//# debugId=${id}\n`,
    );
    const found = inspect(file);
    expect(found).toMatchObject({
      format: 'unknown',
      embedded: ['a-12345678.css', 'main-1221tpph.js'],
      debugIds: [id],
    });
  });
});

describe('switchOffIn()', () => {
  test('changes the one name, and not the length', () => {
    const bytes = Buffer.from('a\0BUN_BE_BUN\0b');
    switchOffIn(bytes, 'here');
    expect(bytes.toString('latin1')).toBe('a\0\x01UN_BE_BUN\0b');
    expect(inspect(bytes).canBeRuntime).toBe(false);
  });

  test.each(['nothing', 'BUN_BE_BUN BUN_BE_BUN'])('throws for %p', (text) =>
    expect(() => switchOffIn(Buffer.from(text), 'here')).toThrow('should name BUN_BE_BUN once'),
  );
});
