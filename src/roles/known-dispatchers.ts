/**
 * Which dispatchers a data directory belongs to, by their keys: its own, and those its workers have joined. Only ever
 * reads; what cannot be read counts as not there.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { OctasklyError } from '../base/errors.ts';
import { keptCluster } from '../runtime/cluster-file.ts';
import { workerFolders } from '../runtime/cluster-keys.ts';
import { keptCredential } from '../runtime/credential.ts';
import { nodeKey } from '../runtime/data-dir.ts';
import { fingerprintOf } from '../runtime/keys.ts';

/** Fingerprints of the dispatchers that `dataDir` (absolute) belongs to; none for a new one. Never throws. */
export function knownFingerprints(dataDir: string): ReadonlySet<string> {
  const own = existsSync(join(dataDir, 'node.key')) ? [readable(() => nodeKey(dataDir).publicKey.toHex())] : [];
  const joined = workerFolders(dataDir).flatMap((folder) => [
    readable(() => keptCluster(folder)?.dispatcherKey ?? null),
    readable(() => keptCredential(folder)?.credential.dispatcherKey ?? null),
  ]);
  return new Set([...own, ...joined].filter((key) => key !== null).map(fingerprintOf));
}

function readable(read: () => string | null): string | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof OctasklyError) return null;
    throw error;
  }
}
