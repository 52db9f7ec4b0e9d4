/**
 * The pages a browser is shown, from where they are: inside the compiled file, bundled with it, or in a working copy
 * bundled when the first of them is asked for. The bundler takes the page apart: scripts and styles become files whose
 * names change with their content, and nothing stands in the page itself.
 */

import { basename } from 'node:path';
import type { PageFile } from '../api/pages.ts';
import index from '../dashboard/index.html';
import { sha256Hex } from '../runtime/keys.ts';

/** Characters of a hash that tell two versions of a file apart. */
const tagLength = 32;

/** What the bundler leaves in place of the import; run from sources there are no files yet. */
interface Bundle {
  readonly index: string;
  readonly files?: readonly { readonly path: string; readonly headers: Readonly<Record<string, string>> }[];
}

/** The page for a path, as `ApiOptions` asks for it. Reads or bundles nothing before the first question. */
export function dashboardPages(): (path: string) => Promise<PageFile | null> {
  let known: Promise<ReadonlyMap<string, PageFile>> | null = null;
  return async (path) => {
    known ??= load();
    return (await known).get(path) ?? null;
  };
}

async function load(): Promise<ReadonlyMap<string, PageFile>> {
  const bundle: Bundle = index;
  const files =
    bundle.files === undefined
      ? await bundleSources(bundle.index)
      : await Promise.all(
          bundle.files.map(async ({ path, headers }) =>
            pageFile(path, headers['content-type'] ?? '', await Bun.file(path).bytes()),
          ),
        );
  return new Map(files.map((file) => [file.path, file]));
}

function pageFile(path: string, mediaType: string, bytes: Uint8Array<ArrayBuffer>): PageFile {
  const name = basename(path.replaceAll('\\', '/'));
  const isPage = name.endsWith('.html');
  return {
    path: isPage ? '/' : `/${name}`,
    mediaType,
    bytes: () => Promise.resolve(bytes),
    etag: `"${sha256Hex(bytes).slice(0, tagLength)}"`,
    immutable: !isPage,
  };
}

/** The same from a working copy. A page that cannot be bundled says why, in the log of whoever works on it. */
async function bundleSources(entry: string): Promise<PageFile[]> {
  const built = await Bun.build({ entrypoints: [entry], target: 'browser', minify: true });
  return Promise.all(
    built.outputs.map(async (output) => pageFile(output.path, output.type, new Uint8Array(await output.arrayBuffer()))),
  );
}
