/**
 * `/docs`: the reader of the API's description, Swagger UI, from inside the compiled file. It is served as it is published;
 * what is ours is the page around it. It loads nothing from elsewhere, and asks this dispatcher alone.
 *
 * Not bundled: the reader is one file already, and the bundler would take the page apart.
 */

import { basename } from 'node:path';
import styles from 'swagger-ui-dist/swagger-ui.css' with { type: 'file' };
import reader from 'swagger-ui-dist/swagger-ui-bundle.js' with { type: 'file' };
import type { PageFile } from '../api/pages.ts';
import pageStyles from '../docs-page/page.css' with { type: 'file' };
import page from '../docs-page/page.htm' with { type: 'file' };
import start from '../docs-page/start.js' with { type: 'file' };
import { sha256Hex } from '../runtime/keys.ts';

const html = 'text/html; charset=utf-8';
const css = 'text/css; charset=utf-8';
const javascript = 'text/javascript; charset=utf-8';

/** What is at which path. */
const files: Readonly<Record<string, { readonly file: string; readonly mediaType: string }>> = {
  '/docs': { file: page, mediaType: html },
  '/docs/': { file: page, mediaType: html },
  '/docs/page.css': { file: pageStyles, mediaType: css },
  '/docs/start.js': { file: start, mediaType: javascript },
  '/docs/swagger-ui.css': { file: styles, mediaType: css },
  '/docs/swagger-ui-bundle.js': { file: reader, mediaType: javascript },
};

/**
 * A file by what stands for it: its path, or in the compiled file, where a page is bundled too, the address it would have
 * below that page.
 */
function fileAt(path: string): Blob {
  const name = basename(path);
  return Bun.embeddedFiles.find((file) => 'name' in file && file.name === name) ?? Bun.file(path);
}

async function load(path: string): Promise<PageFile | null> {
  const found = Object.hasOwn(files, path) ? files[path] : undefined;
  if (found === undefined) return null;
  const bytes = await fileAt(found.file).bytes();
  const etag = `"${sha256Hex(bytes).slice(0, 32)}"`;
  return { path, mediaType: found.mediaType, bytes: () => Promise.resolve(bytes), etag, immutable: false };
}

/** `pages`, and `/docs` with what it loads, each read when it is first asked for. */
export function withDocs(pages: (path: string) => Promise<PageFile | null>): typeof pages {
  const known = new Map<string, Promise<PageFile | null>>();
  return async (path) => {
    if (!Object.hasOwn(files, path)) return pages(path);
    const file = known.get(path) ?? load(path);
    known.set(path, file);
    return file;
  };
}
