/** A release whose program is a few lines of shell that say a version: enough for an update, and made in no time. */

import { generateKeyPairSync, sign } from 'node:crypto';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tarGz } from '../../scripts/release/archives.ts';
import { hostTarget } from '../../scripts/release/runtimes.ts';
import { archiveName } from '../../src/core/targets.ts';
import { sha256Hex } from '../../src/runtime/keys.ts';

const pair = generateKeyPairSync('ed25519');
export const publicKey = pair.publicKey.export({ format: 'der', type: 'spki' }).toString('base64');

export interface MadeRelease {
  readonly directory: string;
  readonly archive: string;
}

/** Makes one in `directory`. `says`: what its program says it is, if not its version; `lines`: more that it does. */
export async function makeRelease(
  directory: string,
  version: string,
  { says = version, lines = '' }: { readonly says?: string; readonly lines?: string } = {},
): Promise<MadeRelease> {
  const target = hostTarget();
  const inside = join(directory, 'stage', `octaskly-${version}-${target.name}`);
  mkdirSync(inside, { recursive: true });
  const text = `#!/bin/sh\n${lines}\necho "octaskly ${says}"\n`;
  writeFileSync(join(inside, 'octaskly'), text);
  chmodSync(join(inside, 'octaskly'), 0o755);
  const archive = archiveName(version, target);
  const packed = await tarGz({ from: join(directory, 'stage'), date: new Date(0), level: 1 });
  writeFileSync(join(directory, archive), packed);
  const common = { target: target.name };
  const manifest = JSON.stringify({
    ...{
      name: 'octaskly',
      version,
      commit: '0'.repeat(40),
      date: '2026-01-01T00:00:00Z',
      protocol: { min: 5, max: 6 },
    },
    files: [
      { ...common, file: `octaskly-${version}-program`, kind: 'program', bytes: text.length, sha256: sha256Hex(text) },
      { ...common, file: archive, kind: 'archive', bytes: packed.length, sha256: sha256Hex(packed) },
    ],
  });
  writeFileSync(join(directory, 'manifest.json'), manifest);
  const signature = sign(null, Buffer.from(manifest), pair.privateKey).toString('base64');
  writeFileSync(join(directory, 'manifest.json.sig'), `${signature}\n`);
  return { directory, archive: join(directory, archive) };
}
