/** The command line on a real terminal: gives `cli/` the machine it may touch, and the roles it may start. */

import { reasonOf } from '../base/errors.ts';
import { runCli } from '../cli/cli.ts';
import { note } from '../cli/context.ts';
import { announcedApi } from '../runtime/api-address.ts';
import { checkArgumentText } from '../runtime/argument-text.ts';
import { readPrivate } from '../runtime/data-dir.ts';
import { createLocalFiles } from '../runtime/local-files.ts';
import { createTerminal } from '../runtime/terminal.ts';
import { version } from '../version.ts';
import { localToken } from './own-token.ts';

/** As of `octaskly` with a line that it does not understand. */
const exitUsage = 2;

/** Runs a command line and resolves with its exit status. */
export async function runTerminal(argv: readonly string[]): Promise<number> {
  const terminal = createTerminal();
  try {
    checkArgumentText(argv);
  } catch (error) {
    await note(terminal, reasonOf(error));
    return exitUsage;
  }
  return runCli(argv, {
    terminal,
    openLibrary: async () => (await import('./library.ts')).openLibrary(terminal.env),
    files: createLocalFiles(),
    version,
    roles: {
      dispatcher: async (values) =>
        values.ui
          ? (await import('./with-ui.ts')).runDispatcherWithUi(values)
          : (await import('./dispatcher.ts')).runDispatcher(values),
      worker: async (values) => (await import('./worker.ts')).runWorker(values),
      join: async (values, token) => (await import('./join.ts')).runJoin(values, token),
      up: async (values) =>
        values.ui ? (await import('./with-ui.ts')).runUpWithUi(values) : (await import('./up.ts')).runUp(values),
      version: async (values) => {
        if (values.output === 'json') {
          const { programFacts } = await import('./facts.ts');
          process.stdout.write(`${JSON.stringify(programFacts())}\n`);
        } else process.stdout.write(values.output === 'quiet' ? `${version}\n` : `octaskly ${version}\n`);
        return 0;
      },
      runOnPeer: async (task) => (await import('./p2p-run.ts')).runOnPeer(task),
      verifyRecord: async (file) => {
        const [{ verifyRecordIn }, { findingViewOf }] = await Promise.all([
          import('./record.ts'),
          import('../api/audit-views.ts'),
        ]);
        return findingViewOf(await verifyRecordIn(file));
      },
      doctor: async (values, topic, host) =>
        (await import('./doctor.ts')).runDoctor(values, { topic, host, stdout: terminal.stdout }),
      update: async (request) => (await import('./update.ts')).runUpdate(request, terminal),
      service: async (request) => (await import('./service.ts')).runService(request, terminal),
      peers: async (values) => (await import('./peers-list.ts')).runPeers(values, terminal),
      backup: async (values, file) => (await import('./backup.ts')).runBackup(values, file, terminal),
      restore: async (values, file) => (await import('./restore.ts')).runRestore(values, file, terminal),
    },
    parseToml: (text) => Bun.TOML.parse(text),
    parseYaml: (text) => Bun.YAML.parse(text),
    readPrivate,
    announcedApi,
    localToken,
    answers: async (url) => (await import('./finding.ts')).answers(url),
    findApis: async (values) => (await import('./finding.ts')).findApis(values),
    fetchFor: async (baseUrl, pin) => (await import('../runtime/pinned-fetch.ts')).fetchFor(baseUrl, pin),
  });
}
