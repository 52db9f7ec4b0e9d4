import { describe, expect, test } from 'bun:test';
import { formula } from '../../../scripts/release/packages/formula.ts';
import { missingTools } from '../../../scripts/release/packages/makers.ts';
import { manualPage } from '../../../scripts/release/packages/manual.ts';
import {
  maintainerScript,
  packagedServices,
  packagedUnit,
  packageVersion,
} from '../../../scripts/release/packages/tree.ts';
import { commands } from '../../../src/cli/commands.ts';
import { mark } from '../../../src/core/service/definition.ts';

const archive = (target: string, digit: string) => ({
  ...{ file: `octaskly-1.2.3-${target}.tar.gz`, kind: 'archive' as const, target, bytes: 1 },
  sha256: digit.repeat(64),
});
const files = [archive('darwin-arm64', 'a'), archive('linux-x64', 'b'), archive('linux-x64-musl', 'c')];

describe('formula()', () => {
  test('names the archives there are for the devices Homebrew knows, each with its sum', () => {
    const text = formula({ version: '1.2.3', base: 'https://example.org/1.2.3', files }) ?? '';
    expect(text).toContain('url "https://example.org/1.2.3/octaskly-1.2.3-darwin-arm64.tar.gz"');
    expect([...text.matchAll(/sha256 "(.)/g)].map(([, digit]) => digit)).toEqual(['a', 'b']);
    expect(text).not.toContain('musl');
  });

  test('looks beside itself where nobody said where the release will be', () => {
    expect(formula({ version: '1.2.3', base: null, files })).toContain(
      'url "file://#{__dir__}/octaskly-1.2.3-linux-x64',
    );
  });

  test('there is none for a release without macOS', () => {
    expect(formula({ version: '1.2.3', base: null, files: files.slice(1) })).toBeNull();
  });
});

describe('manualPage()', () => {
  const page = manualPage('1.2.3', new Date('2026-01-31T12:00:00Z'));

  test('has every command, and the day', () => {
    for (const { name } of commands) expect(page).toContain(`\n.B ${name.replaceAll('-', '\\-')}`);
    expect(page).toStartWith('.TH OCTASKLY 1 2026-01-31 "octaskly 1.2.3"');
  });

  test('has nothing that the formatter would take for its own', () => {
    const requests = [...page.matchAll(/^[.'](\w*)/gm)].map(([, word]) => word);
    expect(
      requests.filter((word) => !['TH', 'SH', 'SS', 'TP', 'PP', 'B', 'I', 'RI', 'BR'].includes(word ?? '')),
    ).toEqual([]);
  });
});

describe('packagedUnit()', () => {
  const [dispatcher, worker] = packagedServices({ runtime: 'bun' });

  test('is that of `service install`, and does not pass for one of it', () => {
    if (dispatcher === undefined || worker === undefined) throw new Error('there should be two services');
    expect(packagedUnit(worker)).toContain('"worker" "--config=/etc/octaskly/worker.toml"');
    expect(packagedUnit(worker)).toContain('Delegate=yes');
    expect(packagedUnit(dispatcher)).toContain('User=octaskly\n');
    expect(packagedUnit(dispatcher)).not.toContain(mark);
  });

  test('there is none of a dispatcher for a program that is none', () => {
    expect(packagedServices({ runtime: 'node' }).map(({ role }) => role)).toEqual(['worker']);
  });
});

test('packageVersion() has what comes before a release sort before it', () => {
  expect(['1.2.3', '1.2.3-rc.1'].map(packageVersion)).toEqual(['1.2.3', '1.2.3~rc.1']);
});

test('maintainerScript() ends with its own part, behind what all can do', () => {
  expect(maintainerScript('rpm/pre')).toStartWith('#!/bin/sh\nset -e\n');
  expect(maintainerScript('rpm/pre')).toEndWith('}\n\nmake_accounts\n');
});

test('missingTools() names programs with the packages they come in', () => {
  const maker = { name: 'x', needs: { 'no-such-program': 'no-such-package' }, isFor: () => true, make: () => [] };
  expect(missingTools(maker)).toEqual(['no-such-program (Debian: no-such-package)']);
});
