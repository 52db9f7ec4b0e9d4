import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readmeAlone } from '../../../scripts/release/readme.ts';

test('readmeAlone() names the command that shows a page in place of a link to it', () => {
  const alone = (text: string): string => readmeAlone(text);
  expect(alone('see [docs/SECURITY.md](docs/SECURITY.md).')).toBe('see `octaskly docs security`.');
  expect(alone('[over\nREST](docs/guide/ci.md#a) · [x](docs/REST.md)')).toBe(
    'over\nREST (`octaskly docs ci`) · x (`octaskly docs rest`)',
  );
  expect(alone('[docs/README.md](docs/README.md) lists, [changes](CHANGELOG.md)')).toBe(
    '`octaskly docs` lists, changes',
  );
  const kept = '[built](#from-the-sources), [site](https://example.org/docs/a.md), [terms](LICENSE)';
  expect(alone(kept)).toBe(kept);
});

test('readmeAlone() leaves no link to what is not beside it, and names pages that there are', () => {
  const root = join(import.meta.dir, '../../..');
  const text = readmeAlone(readFileSync(join(root, 'README.md'), 'utf8'));
  const targets = [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, target = '']) => target);
  expect(targets.filter((target) => !/^(?:#|https?:|LICENSE$)/.test(target))).toEqual([]);
  const library = readFileSync(join(root, 'src/roles/library.ts'), 'utf8');
  const pages = [...text.matchAll(/octaskly docs ([a-z0-9-]+)/g)].map(([, page = '']) => page);
  expect(pages.length).toBeGreaterThan(5);
  for (const page of pages) expect(library.toLowerCase()).toContain(`/${page}.md'`);
});
