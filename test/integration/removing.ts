/** Makes a task directory that resists, in the folder given, and removes it: for a test that runs this as another user. */

import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createWorkspace } from '../../src/runtime/workspace.ts';
import { silentLog } from './processes.ts';

const root = process.argv[2] ?? '';
const workspace = createWorkspace({ root, log: silentLog });
const dir = workspace.createArea({ isolated: false, user: null }).directory;
mkdirSync(join(dir, 'a/b/c'), { recursive: true });
mkdirSync(join(dir, 'd/b'), { recursive: true });
writeFileSync(join(dir, 'a/b/c/file'), 'x');
symlinkSync('/', join(dir, 'a/b/link'));
for (const path of ['a/b/c', 'a/b', 'a', 'd/b', '']) chmodSync(join(dir, path), 0o000);
await workspace.removeArea({ directory: dir, temporary: null, user: null });
console.log(`left: ${JSON.stringify(readdirSync(join(root, 'tasks')))}`);
