/** The command line on a real terminal: gives `cli/` the machine it may touch, and the roles it may start. */

import { signToken } from '../api/token.ts';
import { runCli } from '../cli/cli.ts';
import { announcedApi } from '../runtime/api-address.ts';
import { readPrivate, storedSecret } from '../runtime/data-dir.ts';
import { keySet, tokenId } from '../runtime/keys.ts';
import { createLocalFiles } from '../runtime/local-files.ts';
import { givenEnvironment } from '../runtime/own-secrets.ts';
import { createTerminal } from '../runtime/terminal.ts';
import { version } from '../version.ts';

/** How long a token lives that the command line makes for itself, s. */
const ownTokenSeconds = 12 * 3600;

/** Runs a command line and resolves with its exit status. */
export function runTerminal(argv: readonly string[]): Promise<number> {
  return runCli(argv, {
    terminal: createTerminal(),
    files: createLocalFiles(),
    version,
    roles: {
      dispatcher: async (values) => (await import('./dispatcher.ts')).runDispatcher(values),
      worker: async (values) => (await import('./worker.ts')).runWorker(values),
      join: async (values, token) => (await import('./join.ts')).runJoin(values, token),
      up: async (values) => (await import('./up.ts')).runUp(values),
      version: async (values) => {
        process.stdout.write(values.output === 'json' ? `${JSON.stringify({ version })}\n` : `octaskly ${version}\n`);
        return 0;
      },
      runOnPeer: async (task) => (await import('./p2p-run.ts')).runOnPeer(task),
      verifyRecord: async (file) => (await import('./record.ts')).verifyRecordIn(file),
      doctor: async (values, topic, host) => (await import('./doctor.ts')).runDoctor(values, topic, host),
      peers: async (values) => (await import('./peers-list.ts')).runPeers(values),
      backup: async (values, file) => (await import('./backup.ts')).runBackup(values, file),
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

/** A token signed with the secret of the data directory: whoever can read that needs no other. */
function localToken(dataDir: string): string | null {
  const secret = givenEnvironment().OCTASKLY_SECRET ?? storedSecret(dataDir);
  if (secret === null || secret === '') return null;
  const now = Math.floor(Date.now() / 1000);
  const claims: Parameters<typeof signToken>[0] = {
    sub: 'owner',
    role: 'admin',
    iss: 'owner',
    iat: now,
    exp: now + ownTokenSeconds,
    jti: tokenId(),
  };
  return signToken(claims, keySet(secret).signToken);
}
