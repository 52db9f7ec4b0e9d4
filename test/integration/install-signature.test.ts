/**
 * The verifiers of Ed25519 that the install scripts bring: that of install.sh in each shell and with each bc there is, that
 * of install.ps1 compiled by Mono.
 */

import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ed25519Case, ed25519Cases } from './ed25519-cases.ts';
import { script, shells } from './install-scene.ts';

let directory: string;
const searched = process.env.PATH ?? '/usr/bin:/bin';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-signature-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** install.sh, which instead of installing says how its verifier by bc ends. */
function verifier(): string {
  const path = join(directory, 'verifier.sh');
  const end =
    '[ -z "$bc" ] || bc() { busybox bc; }\nwork=$directory baked_key=MCowBQYDK2VwAyEA$key\nbc_verifies\nexit\n}\n';
  const text = readFileSync(script, 'utf8').replace(/main "\$@"\nexit\n\}\n$/, () => end);
  expect(text).toEndWith(end);
  writeFileSync(path, text);
  return path;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

interface By {
  readonly shell: readonly string[];
  /** That of busybox, or what bc is here. */
  readonly bc?: 'busybox' | '';
  readonly path?: string;
}

/** The exit status of the verifier: 0 holds, 1 does not, 2 cannot tell. */
async function verdict({ key, message, signature }: Ed25519Case, { shell, bc = '', path = searched }: By) {
  const work = mkdtempSync(join(directory, 'case-'));
  writeFileSync(join(work, 'manifest.json'), message);
  const given = { key: base64(key), signature: base64(signature).replace(/=+$/, '') };
  const env = { PATH: path, directory: work, bc, ...given };
  return await Bun.spawn([...shell, join(directory, 'verifier.sh')], { env }).exited;
}

const cases = ed25519Cases();
/** Those that all shells and a slow bc have time for. */
const few = cases.filter(({ name }) => name === 'TEST 3' || name === 'S + L');

async function compare(given: readonly Ed25519Case[], by: By): Promise<void> {
  verifier();
  const found = await Promise.all(given.map(async (one) => [one.name, await verdict(one, by)]));
  expect(found).toEqual(given.map(({ name, holds }) => [name, holds ? 0 : 1]));
}

for (const [index, shell] of shells.entries()) {
  test(`install.sh under ${shell.join(' ')} tells by bc which signatures hold`, async () => {
    const bc = shell[0] === 'busybox' ? 'busybox' : '';
    if (Bun.which(bc || 'bc') === null) return console.warn('not tested: signatures by bc: it is not installed');
    await compare(index === 0 ? cases : few, { shell, bc });
  });
}

test('install.sh does with the awk of macOS', async () => {
  const awk = Bun.which('original-awk');
  if (awk === null) return console.warn('not tested: install.sh with the awk of macOS: original-awk is not installed');
  symlinkSync(awk, join(directory, 'awk'));
  await compare(few, { shell: shells[0] ?? ['sh'], path: `${directory}:${searched}` });
});

test('install.sh cannot tell by a bc that does not do its work, or for a key of another kind', async () => {
  verifier();
  const [one] = cases;
  if (one === undefined) throw new Error('there are cases');
  writeFileSync(join(directory, 'bc'), '#!/bin/sh\necho Runtime error\n', { mode: 0o755 });
  const shell = shells[0] ?? ['sh'];
  expect(await verdict(one, { shell, path: `${directory}:${searched}` })).toBe(2);
  expect(await verdict({ ...one, key: new Uint8Array(20) }, { shell })).toBe(2);
});

test('install.ps1 is what Windows PowerShell 5.1 reads, and uses nothing that its policy for scripts may refuse', () => {
  const text = readFileSync(script.replace(/sh$/, 'ps1'), 'utf8');
  // Without a mark at its beginning a file is in the code page of the machine.
  expect(text).toMatch(/^[\n\x20-\x7e]*$/);
  const code = text.replace(/@'\n[\s\S]*?\n'@/, '').replaceAll(/#.*$/gm, '');
  // What there is as scripts alone, and operators of PowerShell 7.
  expect(code).not.toMatch(/Get-FileHash|Expand-Archive|New-TemporaryFile|Import-Module|\?\?|&&|\|\|/);
});

/** Answers "True" or "False" to each line of key, message and signature in hexadecimal. */
const harness = `
public static class Harness
{
    static byte[] Bytes(string hex)
    {
        byte[] bytes = new byte[hex.Length / 2];
        for (int i = 0; i < bytes.Length; i++) bytes[i] = System.Convert.ToByte(hex.Substring(2 * i, 2), 16);
        return bytes;
    }

    public static void Main()
    {
        string line;
        while ((line = System.Console.ReadLine()) != null)
        {
            string[] parts = line.Split(' ');
            System.Console.WriteLine(OctasklyEd25519.Verify(Bytes(parts[0]), Bytes(parts[1]), Bytes(parts[2])));
        }
    }
}
`;

test('install.ps1 tells which signatures hold, in C# 5', () => {
  const [mcs, mono] = [Bun.which('mcs'), Bun.which('mono')];
  if (mcs === null || mono === null) {
    return console.warn(
      'not tested: signatures in install.ps1: that takes mono-mcs, mono-runtime, libmono-system-numerics4.0-cil',
    );
  }
  const text = readFileSync(script.replace(/sh$/, 'ps1'), 'utf8');
  const source = /^\$ed25519 = @'\n([\s\S]*?)\n'@$/m.exec(text)?.[1] ?? '';
  writeFileSync(join(directory, 'all.cs'), source + harness);
  const env = { PATH: searched, HOME: directory };
  const run = (command: readonly string[], stdin = '') => {
    const { exitCode, stdout, stderr } = Bun.spawnSync([...command], {
      cwd: directory,
      env,
      stdin: Buffer.from(stdin),
    });
    return { exitCode, said: stdout.toString() + stderr.toString() };
  };
  const compiled = run([mcs, '-langversion:5', '-warnaserror', '-r:System.Numerics.dll', '-out:all.exe', 'all.cs']);
  expect(compiled).toEqual({ exitCode: 0, said: '' });
  const [good] = cases;
  if (good === undefined) throw new Error('there are cases');
  const odd = [
    { ...good, name: 'no signature', signature: new Uint8Array(0) },
    { ...good, name: 'a short signature', signature: good.signature.slice(0, 63) },
    { ...good, name: 'a long signature', signature: new Uint8Array([...good.signature, 0]) },
    { ...good, name: 'a short key', key: good.key.slice(0, 31) },
  ].map((one) => ({ ...one, holds: false }));
  const all = [...cases, ...odd];
  const lines = all.map(({ key, message, signature }) => [key, message, signature].map((one) => one.toHex()).join(' '));
  const { exitCode, said } = run([mono, 'all.exe'], `${lines.join('\n')}\n`);
  const answers = said.trim().split('\n');
  expect([exitCode, all.map(({ name }, index) => [name, answers[index]])]).toEqual([
    0,
    all.map(({ name, holds }) => [name, holds ? 'True' : 'False']),
  ]);
});
