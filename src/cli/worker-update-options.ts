/** A part of the table of `options.ts`: whether a worker takes updates from its dispatcher. */

import { choice, type OptionTable } from './option.ts';

export const workerUpdateOptions = {
  allowUpdate: choice('allow-update', ['auto', 'true', 'signed', 'false'], {
    default: 'auto',
    bare: 'true',
    help: 'Take updates from the dispatcher: auto = signed ones alone where tasks are kept apart (strict and above)',
  }),
} satisfies OptionTable;
