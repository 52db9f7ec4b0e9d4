/**
 * The bill of materials of a release: which packages are in its programs, in which version and under which licence, and the
 * runtimes. CycloneDX 1.6 as JSON. Beside it the notices: the licences' own texts, which most of them ask to be passed on.
 *
 * What is in the programs is what the bundler says it read, not what is installed.
 * References: CycloneDX 1.6 (ECMA-424), package URLs (`purl`), RFC 9562 (UUIDs, version 8).
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Enums, Models, Serialize, SPDX, Spec } from '@cyclonedx/cyclonedx-library';
import { sha256 } from './digest.ts';
import type { Source } from './source.ts';

export interface Package {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression, or what the package says instead of one. */
  readonly licence: string;
  /** The packages it asks for: ranges of versions by name. */
  readonly dependencies: Readonly<Record<string, string>>;
  /** The texts of its licence, one after another; empty when it comes without. */
  readonly notice: string;
}

/** The packages that these files of the project belong to, by name and version. Files of our own belong to none. */
export function packagesOf(root: string, inputs: Iterable<string>): readonly Package[] {
  const directories = new Set<string>();
  for (const input of inputs) {
    const directory = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0];
    if (directory !== undefined) directories.add(directory);
  }
  const found = new Map(
    [...directories].map((directory) => packageIn(join(root, directory))).map((each) => [idOf(each), each]),
  );
  return [...found.values()].sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
}

function packageIn(directory: string): Package {
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
    license?: string;
    dependencies?: Record<string, string>;
  };
  const texts = readdirSync(directory)
    .filter((file) => /^(?:licen[cs]e|copying|notice)/i.test(file))
    .sort();
  return {
    ...{ name: manifest.name, version: manifest.version, licence: manifest.license ?? 'unknown' },
    dependencies: manifest.dependencies ?? {},
    notice: texts.map((file) => readFileSync(join(directory, file), 'utf8').trim()).join('\n\n'),
  };
}

function idOf({ name, version }: Pick<Package, 'name' | 'version'>): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}

/** The bill as JSON. The same packages of the same commit give the same text. */
export function billOf(
  source: Source,
  version: string,
  packages: readonly Package[],
  runtimes: readonly Package[],
): string {
  const { Bom, Component, Metadata } = Models;
  const root = new Component(Enums.ComponentType.Application, 'octaskly', {
    ...{ version, bomRef: `octaskly@${version}`, purl: `pkg:generic/octaskly@${version}` },
  });
  root.licenses.add(new Models.SpdxLicense('MIT'));
  root.properties.add(new Models.Property('octaskly:commit', source.commit));
  const bom = new Bom({ metadata: new Metadata({ timestamp: source.date, component: root }) });
  const parts = new Map(packages.map((each) => [each, componentOf(each, Enums.ComponentType.Library)]));
  for (const [each, component] of parts) {
    root.dependencies.add(component.bomRef);
    for (const [other, part] of parts) if (asksFor(each, other)) component.dependencies.add(part.bomRef);
    bom.components.add(component);
  }
  for (const runtime of runtimes) {
    const component = componentOf(runtime, Enums.ComponentType.Platform);
    root.dependencies.add(component.bomRef);
    bom.components.add(component);
  }
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  const options = { sortLists: true, space: 2 };
  bom.serialNumber = `urn:uuid:${uuidOf(serializer.serialize(bom, options))}`;
  return `${serializer.serialize(bom, options)}\n`;
}

function asksFor({ dependencies }: Package, { name, version }: Package): boolean {
  const range = dependencies[name];
  return range !== undefined && Bun.semver.satisfies(version, range);
}

function componentOf(each: Package, type: Enums.ComponentType): Models.Component {
  const [, group, name = each.name] = /^(@[^/]+)\/(.*)$/.exec(each.name) ?? [];
  const purl = idOf(each);
  const component = new Models.Component(type, name, { version: each.version, purl, bomRef: purl });
  if (group !== undefined) component.group = group;
  component.licenses.add(licenceOf(each.licence));
  return component;
}

function licenceOf(licence: string): Models.License {
  if (SPDX.isSupportedSpdxId(licence)) return new Models.SpdxLicense(licence);
  return / (?:AND|OR|WITH) /.test(licence) ? new Models.LicenseExpression(licence) : new Models.NamedLicense(licence);
}

/** A UUID that follows from a text alone: version 8, of its digest. */
function uuidOf(text: string): string {
  const digits = sha256(text);
  const variant = ((Number.parseInt(digits[16] ?? '0', 16) & 0x3) | 0x8).toString(16);
  const parts = [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `8${digits.slice(13, 16)}`,
    `${variant}${digits.slice(17, 20)}`,
  ];
  return [...parts, digits.slice(20, 32)].join('-');
}

/** The notices of the packages as one text. */
export function noticesOf(packages: readonly Package[]): string {
  const opening =
    'Octaskly contains a runtime, Bun or Node.js, and these packages, each under the licence its authors gave it.\n';
  const parts = packages.map(({ name, version, licence, notice }) =>
    `${name} ${version} (${licence})\n\n${notice}`.trim(),
  );
  const rule = `\n${'-'.repeat(80)}\n\n`;
  return `${[opening, ...parts.map((part) => `${part}\n`)].join(rule)}`;
}

/** A runtime, by the package it comes in. Bun and Node are both under MIT, and so say their packages. */
export function runtimePackage(name: string, version: string): Package {
  return { name, version, licence: 'MIT', dependencies: {}, notice: '' };
}
