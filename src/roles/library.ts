/**
 * The pages of `docs/`, bundled into the program, and how they are shown. A page is named by its file, in small
 * letters; `docs/README.md` is the list of them for who reads them elsewhere.
 */

import architecture from '../../docs/ARCHITECTURE.md' with { type: 'text' };
import arm32 from '../../docs/ARM32.md' with { type: 'text' };
import care from '../../docs/CARE.md' with { type: 'text' };
import commandLine from '../../docs/COMMAND-LINE.md' with { type: 'text' };
import commands from '../../docs/COMMANDS.md' with { type: 'text' };
import comparison from '../../docs/COMPARISON.md' with { type: 'text' };
import dashboard from '../../docs/DASHBOARD.md' with { type: 'text' };
import denyList from '../../docs/DENY-LIST.md' with { type: 'text' };
import deployment from '../../docs/DEPLOYMENT.md' with { type: 'text' };
import devices from '../../docs/DEVICES.md' with { type: 'text' };
import files from '../../docs/FILES.md' with { type: 'text' };
import ci from '../../docs/guide/ci.md' with { type: 'text' };
import nightly from '../../docs/guide/nightly.md' with { type: 'text' };
import phone from '../../docs/guide/phone.md' with { type: 'text' };
import sweep from '../../docs/guide/sweep.md' with { type: 'text' };
import video from '../../docs/guide/video.md' with { type: 'text' };
import install from '../../docs/INSTALL.md' with { type: 'text' };
import json from '../../docs/JSON.md' with { type: 'text' };
import library from '../../docs/LIBRARY.md' with { type: 'text' };
import map from '../../docs/MAP.md' with { type: 'text' };
import metrics from '../../docs/METRICS.md' with { type: 'text' };
import network from '../../docs/NETWORK.md' with { type: 'text' };
import notify from '../../docs/NOTIFY.md' with { type: 'text' };
import platforms from '../../docs/PLATFORMS.md' with { type: 'text' };
import power from '../../docs/POWER.md' with { type: 'text' };
import release from '../../docs/RELEASE.md' with { type: 'text' };
import rest from '../../docs/REST.md' with { type: 'text' };
import roles from '../../docs/ROLES.md' with { type: 'text' };
import run from '../../docs/RUN.md' with { type: 'text' };
import security from '../../docs/SECURITY.md' with { type: 'text' };
import service from '../../docs/SERVICE.md' with { type: 'text' };
import terminalDashboard from '../../docs/TERMINAL-DASHBOARD.md' with { type: 'text' };
import troubleshooting from '../../docs/TROUBLESHOOTING.md' with { type: 'text' };
import update from '../../docs/UPDATE.md' with { type: 'text' };
import type { Library } from '../cli/library.ts';
import { showInPager } from '../runtime/pager.ts';

const texts: Readonly<Record<string, string>> = {
  architecture,
  arm32,
  care,
  ci,
  'command-line': commandLine,
  commands,
  comparison,
  dashboard,
  'deny-list': denyList,
  deployment,
  devices,
  files,
  install,
  json,
  library,
  map,
  metrics,
  network,
  nightly,
  notify,
  phone,
  platforms,
  power,
  release,
  rest,
  roles,
  run,
  security,
  service,
  sweep,
  'terminal-dashboard': terminalDashboard,
  troubleshooting,
  update,
  video,
};

/** What a page says to who tests its commands (`test/docs-blocks.ts`), and to nobody else. */
const remark = /^[ \t]*<!-- (?:not run|ends with): .*-->\n+/gm;

/** `env`: that of the reader, whose PAGER is asked. */
export function openLibrary(env: Readonly<Record<string, string | undefined>>): Library {
  return {
    pages: Object.entries(texts).map(([name, text]) => ({ name, text })),
    render: (markdown, { columns, color }) =>
      Bun.markdown.ansi(markdown.replace(remark, ''), { columns, colors: color, hyperlinks: false }),
    page: (text) => showInPager(text, env),
  };
}
