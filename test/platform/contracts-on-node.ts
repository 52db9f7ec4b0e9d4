/**
 * The contracts of the ports a worker has, held against what is made for Node. Not a test by itself: it is bundled like
 * the program for 32-bit ARM, and run by Node (`node.test.ts`).
 */

import '../../src/runtime/node/gaps.ts';
import '../contract/blob-cache.test.ts';
import '../contract/blobs.test.ts';
import '../contract/launcher.test.ts';
import '../contract/transport.test.ts';
import '../integration/process-tree.test.ts';
