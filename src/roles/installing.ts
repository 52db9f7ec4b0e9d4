/** The dispatcher's part in getting the program onto new devices, put together and taken apart again. */

import { createApi } from '../api/app.ts';
import type { Backend } from '../api/backend.ts';
import { problemResponse } from '../api/problem.ts';
import type { ApiOptions } from '../api/route.ts';
import { installRoutes } from '../api/routes/install.ts';
import type { Trust } from '../api/trust.ts';
import { OctasklyError } from '../base/errors.ts';
import type { DispatcherValues } from '../cli/options.ts';
import type { Installer } from '../dispatcher/trust/invites.ts';
import type { Log } from '../ports/time.ts';
import { systemClock } from '../runtime/clock.ts';
import type { HttpAddress, HttpApplication } from '../runtime/http.ts';
import { HandingOut } from './handing-out.ts';
import { InstallListener } from './install-listener.ts';
import { installerOf, pinOf } from './installer.ts';

interface Parts {
  readonly values: DispatcherValues;
  readonly dataDir: string;
  readonly apiBind: string;
  readonly apiPort: number;
  readonly tls: HttpAddress['tls'] | null;
  readonly log: Log;
}

export interface Installing {
  readonly handingOut: HandingOut;
  readonly installer: Installer;
  /** What the listener answers with from here on: the install routes of that API, and no other. */
  serve(backend: Backend, trust: Trust, options: ApiOptions): void;
  close(): Promise<void>;
}

/** Errors: `usage` where `--dist` or `--dist-url` name no release of this version. */
export function openInstalling({ values, dataDir, apiBind, apiPort, tls, log }: Parts): Installing {
  const pin = tls === null || tls === undefined ? null : pinOf(tls.cert);
  const handingOut = new HandingOut({ values, dataDir, log, pin });
  let application: HttpApplication = () => {
    return problemResponse(new OctasklyError('not_ready', 'The dispatcher is starting.'));
  };
  const listener = new InstallListener({
    ...{ clock: systemClock, log, tls, bind: values.bind },
    wantedPort: apiPort,
    application: (request, peer) => application(request, peer),
  });
  const api = { scheme: pin === null ? 'http' : 'https', bind: apiBind, port: apiPort } as const;
  return {
    handingOut,
    installer: installerOf({ values, installs: handingOut, listener, pin, api }),
    serve(backend, trust, options) {
      const app = createApi(backend, trust, { ...options, page: nothingElse }, installRoutes);
      application = (request, peer) => app.fetch(request, peer);
    },
    async close() {
      await listener.close();
      handingOut.close();
    },
  };
}

/** Who calls the API where only the program is handed out is told how to open it. Error: `not_found` for its paths. */
export async function nothingElse(path: string): Promise<null> {
  if (!path.startsWith('/api/')) return null;
  throw new OctasklyError(
    'not_found',
    'The API of this dispatcher is not open to the network: while an invitation is open, new devices get the program ' +
      'here, and nothing else. Start the dispatcher with --require-auth true, which opens the API to those with a token.',
  );
}
