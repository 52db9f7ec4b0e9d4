/**
 * The program as one script for Node 20, from the same sources: where a file of `src/` does something that Node does in
 * another way, its twin takes its place here, and `src/runtime/node/bun.ts` takes that of the name `Bun`.
 *
 * A script of CommonJS, since that is what a single executable of Node 20 starts with. Not split: what is imported when it
 * is needed is run when it is needed.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BunPlugin } from 'bun';

const noDispatcher = 'src/roles/node/no-dispatcher.ts';

/** Files, and what takes their place: it has the same exports, as far as anything left asks for them. */
const twins: Readonly<Record<string, string>> = {
  'src/runtime/libc.ts': 'src/runtime/node/libc.ts',
  'src/roles/dispatcher.ts': noDispatcher,
  'src/roles/up.ts': noDispatcher,
  'src/roles/with-ui.ts': noDispatcher,
  'src/roles/backup.ts': noDispatcher,
  'src/roles/record.ts': noDispatcher,
  'src/roles/restore.ts': noDispatcher,
};

const modules: Readonly<Record<string, string>> = {
  'bun:ffi': 'src/runtime/node/ffi.ts',
  'bun:sqlite': 'src/runtime/node/sqlite.ts',
};

const bun = 'src/runtime/node/bun.ts';

/** Where the program on Node begins. */
export const nodeEntry = 'src/roles/node/main.ts';

/** Files that are reached in this way alone. */
export const nodeFiles: readonly string[] = [nodeEntry, bun, ...Object.values(twins), ...Object.values(modules)];

/** What is bundled. */
export interface Bundle {
  /** The project's directory, its packages installed. */
  readonly root: string;
  /** A path below it. */
  readonly entry: string;
  /** Names, and what is written for them. */
  readonly define?: Readonly<Record<string, string>>;
  /** More modules of Bun, and the paths of their twins below `root`. */
  readonly more?: Readonly<Record<string, string>>;
}

/** Where twins are imported from: a name that tells no path of this machine. */
const twinPrefix = 'twin:';

function twinsIn({ root, more = {} }: Bundle): BunPlugin {
  const replaced = { ...modules, ...more };
  return {
    name: 'twins',
    setup(build) {
      build.onResolve({ filter: /^bun:/ }, ({ path }) => {
        const twin = replaced[path];
        return twin === undefined ? undefined : { path: join(root, twin) };
      });
      build.onResolve({ filter: /^twin:/ }, ({ path }) => ({ path: join(root, path.slice(twinPrefix.length)) }));
      build.onLoad({ filter: /\/blessed\/usr\/[\w-]+$/ }, ({ path }) => {
        const content = readFileSync(path).toString('base64');
        return { contents: `module.exports = Buffer.from('${content}', 'base64');`, loader: 'js' };
      });
      build.onLoad({ filter: /\/(src|test)\/.*\.tsx?$/ }, ({ path, loader }) => {
        const name = path.slice(root.length + 1);
        if (/^src\/(store|dispatcher|dashboard)\//.test(name)) {
          throw new Error(`${name} is a dispatcher's: the role that imports it belongs among those of ${noDispatcher}`);
        }
        const twin = twins[name];
        if (twin !== undefined) return { contents: `export * from '${twinPrefix}${twin}';`, loader };
        const text = readFileSync(path, 'utf8');
        // On the first line, so that the others keep their numbers.
        const needsBun = name !== bun && /\bBun\.[a-zA-Z]/.test(text);
        return { contents: needsBun ? `import { Bun } from '${twinPrefix}${bun}'; ${text}` : text, loader };
      });
    },
  };
}

export interface Script {
  readonly script: string;
  /** Its source map. */
  readonly map: string;
  /** Files of the project that are in it, relative to its directory. */
  readonly inputs: readonly string[];
}

/** Makes the script. Throws with the bundler's words when it cannot be made. */
export async function bundleForNode(bundle: Bundle): Promise<Script> {
  // In a process of its own, in the project's directory: the bundler names files as seen from where it runs.
  const bundling = Bun.spawn([process.execPath, import.meta.path, JSON.stringify(bundle)], {
    ...{ cwd: bundle.root, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' },
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', TMPDIR: process.env.TMPDIR ?? '/tmp' },
  });
  const [made, complaint] = await Promise.all([
    new Response(bundling.stdout).text(),
    new Response(bundling.stderr).text(),
  ]);
  if ((await bundling.exited) !== 0) throw new Error(`bundling ${bundle.entry} for Node failed: ${complaint}`);
  return JSON.parse(made) as Script;
}

async function bundleHere(bundle: Bundle): Promise<Script> {
  const { root, entry, define = {} } = bundle;
  const { outputs, metafile } = await Bun.build({
    entrypoints: [join(root, entry)],
    target: 'node',
    format: 'cjs',
    minify: true,
    metafile: true,
    sourcemap: 'external',
    plugins: [twinsIn(bundle)],
    // Paths of the machine it was built on have no place in the file.
    define: { __dirname: '""', ...define },
  });
  const script = outputs.find(({ kind }) => kind === 'entry-point');
  if (script?.sourcemap == null || metafile === undefined) throw new Error(`nothing came of bundling ${entry}`);
  return { script: await script.text(), map: await script.sourcemap.text(), inputs: Object.keys(metafile.inputs) };
}

if (import.meta.main) {
  const [given = ''] = process.argv.slice(2);
  await Bun.write(Bun.stdout, JSON.stringify(await bundleHere(JSON.parse(given) as Bundle)));
}
