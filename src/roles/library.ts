/**
 * The pages of `docs/`, bundled into the program, and how they are shown. A page is named by its file, in small letters.
 */

import arm32 from '../../docs/ARM32.md' with { type: 'text' };
import care from '../../docs/CARE.md' with { type: 'text' };
import commandLine from '../../docs/COMMAND-LINE.md' with { type: 'text' };
import commands from '../../docs/COMMANDS.md' with { type: 'text' };
import dashboard from '../../docs/DASHBOARD.md' with { type: 'text' };
import denyList from '../../docs/DENY-LIST.md' with { type: 'text' };
import install from '../../docs/INSTALL.md' with { type: 'text' };
import json from '../../docs/JSON.md' with { type: 'text' };
import library from '../../docs/LIBRARY.md' with { type: 'text' };
import map from '../../docs/MAP.md' with { type: 'text' };
import metrics from '../../docs/METRICS.md' with { type: 'text' };
import network from '../../docs/NETWORK.md' with { type: 'text' };
import notify from '../../docs/NOTIFY.md' with { type: 'text' };
import release from '../../docs/RELEASE.md' with { type: 'text' };
import rest from '../../docs/REST.md' with { type: 'text' };
import roles from '../../docs/ROLES.md' with { type: 'text' };
import run from '../../docs/RUN.md' with { type: 'text' };
import security from '../../docs/SECURITY.md' with { type: 'text' };
import service from '../../docs/SERVICE.md' with { type: 'text' };
import terminalDashboard from '../../docs/TERMINAL-DASHBOARD.md' with { type: 'text' };
import type { Library } from '../cli/library.ts';
import { showInPager } from '../runtime/pager.ts';

const texts: Readonly<Record<string, string>> = {
  arm32,
  care,
  'command-line': commandLine,
  commands,
  dashboard,
  'deny-list': denyList,
  install,
  json,
  library,
  map,
  metrics,
  network,
  notify,
  release,
  rest,
  roles,
  run,
  security,
  service,
  'terminal-dashboard': terminalDashboard,
};

/** `env`: that of the reader, whose PAGER is asked. */
export function openLibrary(env: Readonly<Record<string, string | undefined>>): Library {
  return {
    pages: Object.entries(texts).map(([name, text]) => ({ name, text })),
    render: (markdown, { columns, color }) =>
      Bun.markdown.ansi(markdown, { columns, colors: color, hyperlinks: false }),
    page: (text) => showInPager(text, env),
  };
}
