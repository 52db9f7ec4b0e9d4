import { expect, test } from 'bun:test';
import { bakeInstallScripts } from '../../../scripts/release/install-scripts.ts';
import { fillInstallScript, installLines } from '../../../src/core/install-script.ts';

const token = 'octa2AbC';

test('fillInstallScript() puts facts into their places, and leaves the others empty', () => {
  const script = "x=1\nbaked_base=''\nbaked_pin=''\n";
  expect(fillInstallScript(script, { base: 'http://[fe80::1]:3000' })).toBe(
    "x=1\nbaked_base='http://[fe80::1]:3000'\nbaked_pin=''\n",
  );
  expect(fillInstallScript("$baked_pin = ''\n", { pin: 'sha256//a+b/c=' })).toBe("$baked_pin = 'sha256//a+b/c='\n");
});

test('fillInstallScript() takes nothing that could end its quotes, and asserts that there is a place', () => {
  for (const base of ["http://a'; rm -rf ~ #", 'http://a b', 'http://a\nb', 'http://$(id)', 'http://`id`', '$&']) {
    expect(() => fillInstallScript("baked_base=''\n", { base })).toThrow('one word');
  }
  expect(() => fillInstallScript('', { base: 'http://a' })).toThrow('a place for base');
});

test('bakeInstallScripts() finds the places in the scripts as they are', async () => {
  const scripts = await bakeInstallScripts({ key: 'MCowBQ+/=', version: '1.2.3', base: 'https://host/octaskly' });
  expect(scripts['install.sh']).toContain(
    "\nbaked_base='https://host/octaskly'\nbaked_pin=''\nbaked_key='MCowBQ+/='\n",
  );
  expect(scripts['install.ps1']).toContain("\n$baked_version = '1.2.3'\n");
});

test('installLines() keep the brackets of an IPv6 address from the shell', () => {
  const { sh, ps1 } = installLines({ base: 'http://[fd00::1]:3000', pin: null }, token);
  expect(sh).toBe("curl -fsSL 'http://[fd00::1]:3000/install.sh' | sh -s -- --join octa2AbC");
  expect(ps1).toContain("(irm 'http://[fd00::1]:3000/install.ps1')");
});

test('installLines() are plain where nothing is pinned, and take the script from the holder of the key alone otherwise', () => {
  expect(installLines({ base: 'http://192.0.2.1:3000', pin: null }, token)).toEqual({
    sh: 'curl -fsSL http://192.0.2.1:3000/install.sh | sh -s -- --join octa2AbC',
    ps1: '& ([scriptblock]::Create((irm http://192.0.2.1:3000/install.ps1))) -Join octa2AbC',
  });
  expect(installLines({ base: 'https://192.0.2.1:3000', pin: 'sha256//abc=' }, token)).toEqual({
    sh: "curl -fsSLk --pinnedpubkey 'sha256//abc=' https://192.0.2.1:3000/install.sh | sh -s -- --join octa2AbC",
    ps1: "& ([scriptblock]::Create((curl.exe -fsSLk --pinnedpubkey 'sha256//abc=' https://192.0.2.1:3000/install.ps1 | Out-String))) -Join octa2AbC",
  });
});
