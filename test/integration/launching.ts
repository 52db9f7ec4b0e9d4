/**
 * A worker in miniature, for tests that kill it: launches each command given as an argument and then waits.
 * With `--exit` it closes the launcher and leaves when the last task ended; with `--desert` at once.
 */

import { createLauncher } from '../../src/runtime/launcher.ts';
import { unconfined } from '../unconfined.ts';
import { silentLog } from './processes.ts';

const launcher = createLauncher({ log: silentLog });
const commands = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const ends = commands.map(
  (command, index) =>
    launcher.launch(
      {
        argv: ['/bin/sh', '-c', command],
        env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
        cwd: '/',
        stdin: { kind: 'closed' },
        marker: `launching-${process.pid}-${index}`,
        ...unconfined,
      },
      () => undefined,
    ).ended,
);
if (process.argv.includes('--desert')) {
  launcher.close();
  process.exit(0);
} else if (process.argv.includes('--exit')) {
  await Promise.all(ends);
  launcher.close();
} else {
  setInterval(() => undefined, 60_000);
}
