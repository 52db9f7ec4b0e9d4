/**
 * The program on Node: fills what that lacks, then is the same program. One file of it and Node is what 32-bit ARM gets.
 */

import '../../runtime/node/gaps.ts';
import { fetchOn } from '../../runtime/node/fetch.ts';

// Before anything that asks for it; what the sources ask of a certificate Node's own does not know.
Object.assign(globalThis, { fetch: fetchOn });

void import('../../main.ts');
