/**
 * Figure: one large input that eight workers want at once. Workers with real, encrypted links, caches and rosters on this
 * machine, and a dispatcher that counts the bytes it gives; what the dispatcher tells each of the others is what it would
 * tell them. The ratio is what the dispatcher gave, in uploads.
 */

import { fetchAll, openScene } from '../integration/peer-nodes.ts';
import { median } from './stage.ts';

export interface PeerBlobFigures {
  /** Bytes the dispatcher gave over bytes of the blob. */
  readonly uploads: number;
  /** Bytes that arrived at all workers together, per second. */
  readonly megabytesPerSecond: number;
}

export async function measurePeerBlobs({
  workers,
  bytes,
  rounds,
}: {
  readonly workers: number;
  readonly bytes: number;
  readonly rounds: number;
}): Promise<PeerBlobFigures> {
  const uploads: number[] = [];
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const scene = await openScene(workers);
    try {
      const blob = scene.hub.fill(bytes);
      const startedAt = performance.now();
      await fetchAll(scene, blob, bytes);
      rates.push((workers * bytes) / 1000 / (performance.now() - startedAt));
      uploads.push(scene.hub.servedBytes / bytes);
    } finally {
      await scene.close();
    }
  }
  return { uploads: median(uploads), megabytesPerSecond: median(rates) };
}

if (import.meta.main) {
  const { uploads, megabytesPerSecond } = await measurePeerBlobs({ workers: 8, bytes: 200_000_000, rounds: 1 });
  process.stdout.write(
    `8 workers, 200 MB: ${uploads.toFixed(2)} uploads, ${megabytesPerSecond.toFixed(0)} MB/s in all\n`,
  );
  process.exit(0);
}
