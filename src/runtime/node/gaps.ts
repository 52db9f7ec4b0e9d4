/** What the sources use of the language and Node 20 lacks, from core-js. To be loaded before everything else. */

import 'core-js/actual/array/from-async.js';
import 'core-js/actual/array-buffer/transfer.js';
import 'core-js/actual/iterator/index.js';
import 'core-js/actual/map/group-by.js';
import 'core-js/actual/object/group-by.js';
import 'core-js/actual/promise/try.js';
import 'core-js/actual/promise/with-resolvers.js';
import 'core-js/actual/regexp/escape.js';
import 'core-js/actual/set/index.js';
import 'core-js/actual/typed-array/from-base64.js';
import 'core-js/actual/typed-array/from-hex.js';
import 'core-js/actual/typed-array/to-base64.js';
import 'core-js/actual/typed-array/to-hex.js';
