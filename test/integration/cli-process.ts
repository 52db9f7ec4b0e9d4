/** The command line as a process of its own, with the real terminal and no roles. */

import { findingViewOf } from '../../src/api/audit-views.ts';
import { runCli } from '../../src/cli/cli.ts';
import { createLocalFiles } from '../../src/runtime/local-files.ts';
import { createTerminal } from '../../src/runtime/terminal.ts';

const role = async (): Promise<number> => 99;

process.exit(
  await runCli(process.argv.slice(2), {
    terminal: createTerminal(),
    files: createLocalFiles(),
    version: '0.0.0',
    openLibrary: async () => ({ pages: [], render: (text) => text, page: async () => false }),
    roles: {
      ...{
        dispatcher: role,
        worker: role,
        up: role,
        join: role,
        backup: role,
        restore: role,
        doctor: role,
        service: role,
        update: role,
        peers: role,
        version: role,
        runOnPeer: role,
      },
      verifyRecord: async () => findingViewOf({ ok: true, entries: 0 }),
    },
    parseToml: (text) => Bun.TOML.parse(text),
    parseYaml: null,
    readPrivate: () => null,
    announcedApi: () => null,
    localToken: () => null,
    answers: async () => true,
    findApis: async () => [],
  }),
);
