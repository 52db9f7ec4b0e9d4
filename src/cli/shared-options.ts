/** A part of the table of `options.ts`: what several commands share. */

import {
  boolean,
  bytes,
  choice,
  int,
  type OptionTable,
  path,
  readable,
  string,
  strings,
  type Values,
} from './option.ts';

/** Where things are kept and how a node talks about itself. */
export const placeOptions = {
  dataDir: path('data-dir', {
    completes: 'directory',
    default: '~/.octaskly',
    help: 'Directory of database, secret, node key and config.toml',
  }),
  config: readable('config', { defaultText: 'config.toml in the data directory', help: 'Config file (TOML)' }),
};

/** The cluster secret. */
export const secretOptions = {
  secret: string('secret', {
    aliases: ['secret-key'],
    defaultText: 'generated once, kept in the data directory',
    help: 'Cluster secret; better given by environment or file',
    secret: true,
  }),
  secretFile: readable('secret-file', {
    insteadOf: 'secret',
    help: 'File that holds the cluster secret, of mode 600',
  }),
};

/** What a role says, and where. */
export const logOptions = {
  verbose: boolean('verbose', { short: 'v', help: 'Say more' }),
  quiet: boolean('quiet', { short: 'q', help: 'Say only what went wrong: warnings and errors' }),
  logFile: path('log-file', { defaultText: 'standard error', help: 'Write the log to this file' }),
  logMaxBytes: bytes('log-max-size', {
    default: 10 * 2 ** 20,
    defaultText: '10M',
    max: 2 ** 40,
    maxText: '1T',
    help: 'Begin the log file anew above this size, 0 = never',
  }),
  logKeep: int('log-keep', { default: 5, min: 0, max: 1000, help: 'Older log files to keep beside it' }),
  logFormat: choice('log-format', ['text', 'json'], { default: 'text', help: 'Form of the log' }),
};

/** How nodes find and reach each other. */
export const discoveryOptions = {
  discovery: boolean('discovery', { default: true, help: 'Be found and find others by mDNS and beacons' }),
  discoveryPort: int('discovery-port', {
    ...{ placeholder: 'PORT', min: 1, max: 65_535, default: 5555 },
    help: 'UDP port of resource beacons, the same on all nodes',
  }),
  interfaces: strings('interface', {
    placeholder: 'NAME',
    defaultText: 'all but bridges, virtual ones, tunnels and loopback',
    help: 'Use only this network interface for finding others, repeatable',
  }),
};

/** Whether a node deals with other workers. */
export const peerOptions = {
  p2pEnabled: boolean('p2p-enabled', { default: true, help: 'Exchange files and work with other workers directly' }),
};

/** How a command reaches the dispatcher. */
export const reachOptions = {
  api: string('api', {
    defaultText: "the data directory's dispatcher, http://127.0.0.1:3000, or the one found by mDNS",
    placeholder: 'URL',
    help: "Address of the dispatcher's REST API",
  }),
  token: string('token', {
    defaultText: 'made from the secret in the data directory, if readable',
    help: 'Access token; better given by environment or file',
    secret: true,
  }),
  tokenFile: readable('token-file', {
    insteadOf: 'token',
    help: 'File that holds the access token, of mode 600',
  }),
  tlsFingerprint: string('tls-fingerprint', {
    placeholder: 'SHA256',
    defaultText: 'that of the certificate in the data directory, if any',
    help: "Fingerprint of the dispatcher's own certificate, as it printed it",
  }),
  discovery: discoveryOptions.discovery,
  interfaces: discoveryOptions.interfaces,
  ...placeOptions,
} satisfies OptionTable;

/** How a command prints data. */
export const printOptions = {
  output: choice('output', ['table', 'json', 'quiet'], {
    short: 'o',
    default: 'table',
    help: 'table for people, json as the API gives it, quiet for ids, or one value, alone',
  }),
} satisfies OptionTable;

/** Commands that print data and have no flags of their own. */
export const lookOptions = { ...printOptions, ...reachOptions } satisfies OptionTable;

export type PrintValues = Values<typeof printOptions>;
export type ReachValues = Values<typeof reachOptions>;
