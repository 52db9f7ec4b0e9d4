/** The cluster's name for machines: drawn at the dispatcher's first start, and kept whatever becomes of its secret. */

import type { Store } from '../ports/store.ts';
import type { Random } from '../ports/time.ts';

const settingKey = 'cluster_id';
const idBytes = 8;

/** The cluster's id, 16 hex digits; drawn and stored when there is none. Errors: `storage_unavailable`. */
export function clusterIdOf(store: Pick<Store, 'setting' | 'commit'>, random: Random): string {
  const stored = store.setting(settingKey);
  if (stored !== null) return stored;
  const id = random.bytes(idBytes).toHex();
  store.commit([{ kind: 'setting', key: settingKey, value: id }]);
  return id;
}
