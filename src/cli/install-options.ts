/** A part of the table of `options.ts`: how a dispatcher gets the program onto new devices. */

import { boolean, type OptionTable, readable, string } from './option.ts';

export const installOptions = {
  dist: readable('dist', {
    completes: 'directory',
    help: 'Directory of a release of this version, for new devices of other kinds than this machine',
  }),
  distUrl: string('dist-url', {
    placeholder: 'URL',
    help: 'Address of a signed release of this version, fetched from once for each kind of device',
  }),
  installListener: boolean('install-listener', {
    default: true,
    help: 'While an invitation is open, hand the program to devices of the network, on the API port',
  }),
} satisfies OptionTable;
