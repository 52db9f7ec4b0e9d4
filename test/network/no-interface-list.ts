/** Loaded before a process of the network tests: the system keeps its list of interfaces to itself, as Android does. */

import { mock } from 'bun:test';
import * as os from 'node:os';

const others = { ...os };
mock.module('node:os', () => ({
  ...others,
  networkInterfaces: () => {
    throw new Error('uv_interface_addresses returned Unknown system error 13');
  },
}));
