/**
 * Makes the npm package `octaskly` in `dist/npm/octaskly`, or in the folder named: one file of JavaScript for every runtime
 * and its types, without dependencies. `dist/npm/octaskly-VERSION.tgz` beside it is the same as one file.
 *
 * The types of requests and answers are inferred from the schemas that validate. The package has no use for the validator,
 * so those are written out: the compiler is asked for the declaration of a constant of each type, which it prints in full.
 */

import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { version } from '../src/version.ts';
import { root } from './steps.ts';

/** Bytes of the JavaScript; more is a sign of something that does not belong there. */
const scriptBytesMax = 60_000;

const given = process.argv[2];
const folder = given === undefined ? join(root, 'dist', 'npm', 'octaskly') : resolve(given);

function fail(message: string): never {
  process.stderr.write(`package: ${message}\n`);
  process.exit(1);
}

async function writeScript(): Promise<number> {
  const { success, outputs, logs } = await Bun.build({
    entrypoints: [join(root, 'src/library/main.ts')],
    target: 'browser',
    minify: { whitespace: true, syntax: true, identifiers: false },
  });
  const [output] = outputs;
  if (!success || output === undefined) return fail(logs.join('\n'));
  const bytes = new Uint8Array(await output.arrayBuffer());
  if (bytes.length > scriptBytesMax) return fail(`octaskly.js has ${bytes.length} bytes, more than ${scriptBytesMax}`);
  writeFileSync(join(folder, 'octaskly.js'), bytes);
  return bytes.length;
}

/** Declarations for `files`, below `to` as they lie below the project. */
function declare(files: readonly string[], to: string, rootDir: string): void {
  const config = join(to, 'tsconfig.json');
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir,
    outDir: join(to, 'out'),
  };
  // The maker's own word for types that are cut short in messages.
  const full = { ...compilerOptions, noErrorTruncation: true, typeRoots: [join(root, 'node_modules/@types')] };
  mkdirSync(to, { recursive: true });
  writeFileSync(
    config,
    JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions: full, files, include: [] }),
  );
  const tsc = Bun.spawnSync([process.execPath, join(root, 'node_modules/typescript/bin/tsc'), '-p', config], {
    cwd: root,
    env: { PATH: process.env.PATH ?? '' },
  });
  if (tsc.exitCode !== 0) fail(`the compiler ended with ${tsc.exitCode}: ${tsc.stdout.toString()}`);
}

/** For a file of schemas, a module of constants of each type it exports. */
function probeOf(file: string): string {
  const names = [...readFileSync(join(root, file), 'utf8').matchAll(/^export type (\w+)/gm)].map((match) => match[1]);
  if (names.length === 0) return 'export {};\n';
  const imports = `import type { ${names.map((name) => `${name} as T${name}`).join(', ')} } from '${join(root, file)}';\n`;
  // What is spread is a new object: the compiler prints its fields, as there is no name for them.
  const constants = names.map((name) => `export const ${name} = { ...(null as unknown as T${name}) };\n`);
  return imports + constants.join('');
}

/** What a file of schemas passes on of another one's types, as it stands there. */
function passedOn(file: string): string {
  const statements = readFileSync(join(root, file), 'utf8').matchAll(/^export type \{[^}]*\} from '[^']+';\n/gm);
  return [...statements].join('');
}

/** Declarations that need a validator, by their path, written out without it. */
function expanded(files: readonly string[], work: string): Map<string, string> {
  const probes = files.map((file) => join(work, 'probe', file));
  for (const [index, probe] of probes.entries()) {
    mkdirSync(dirname(probe), { recursive: true });
    writeFileSync(probe, probeOf(files[index] ?? ''));
  }
  declare(probes, join(work, 'probes'), '/');
  return new Map(
    files.map((file, index) => {
      const printed = readFileSync(
        join(work, 'probes/out', relative('/', probes[index] ?? '')).replace(/ts$/, 'd.ts'),
        'utf8',
      );
      const written = printed
        .replace(/^import type .*\n/gm, '')
        .replace(/^export declare const (\w+): /gm, 'export type $1 = ');
      return [file, written + passedOn(file)];
    }),
  );
}

function writeTypes(): void {
  const work = mkdtempSync(join(tmpdir(), 'octaskly-types-'));
  try {
    declare([join(root, 'src/library/main.ts')], work, root);
    const out = join(work, 'out', 'src');
    const names = readdirSync(out, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.d.ts'));
    const validated = names.filter((name) => readFileSync(join(out, name), 'utf8').includes("from 'zod'"));
    const typesOf = expanded(
      validated.map((name) => `src/${name.replace(/d\.ts$/, 'ts')}`),
      work,
    );
    for (const name of names) {
      const text = typesOf.get(`src/${name.replace(/d\.ts$/, 'ts')}`) ?? readFileSync(join(out, name), 'utf8');
      const file = join(folder, 'types', name);
      mkdirSync(dirname(file), { recursive: true });
      // The same type, under a name that compilers before 5.7 know, too: there the class takes no parameter.
      const known = text.replaceAll('Uint8Array<ArrayBuffer>', "ReturnType<Uint8Array['slice']>");
      writeFileSync(file, known.replaceAll(/(from '\.[^']*)\.ts'/g, "$1.js'"));
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function writeManifest(): void {
  const { description, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<
    string,
    string
  >;
  const types = './types/library/main.d.ts';
  const manifest = {
    name: 'octaskly',
    version,
    description,
    license,
    type: 'module',
    sideEffects: false,
    main: './octaskly.js',
    types,
    exports: { '.': { types, default: './octaskly.js' } },
    files: ['octaskly.js', 'types'],
    engines: { node: '>=20.3', bun: '>=1.1', deno: '>=2' },
  };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const bytes = await writeScript();
writeTypes();
writeManifest();
cpSync(join(root, 'docs/LIBRARY.md'), join(folder, 'README.md'));
if (existsSync(join(root, 'LICENSE'))) cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
if (given === undefined) {
  const pack = Bun.spawnSync([process.execPath, 'pm', 'pack', '--destination', dirname(folder)], { cwd: folder });
  if (pack.exitCode !== 0) fail(`packing ended with ${pack.exitCode}: ${pack.stderr.toString()}`);
}
process.stdout.write(`${folder}: octaskly ${version}, ${(bytes / 1000).toFixed(1)} kB of JavaScript\n`);
