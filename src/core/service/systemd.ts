/**
 * The unit of a service for systemd, as text. Why each setting is there, or is not, is the subject of `docs/SERVICE.md`;
 * in short: a dispatcher runs nothing of others and is locked in as far as it goes; a worker runs what it is given, and
 * whatever is taken from it is taken from its tasks, so it keeps all that bubblewrap and programs of people need.
 *
 * Delegate, OOMPolicy: each task gets a control group of its own, and one that is out of memory ends alone.
 * KillMode=control-group ends what a killed worker left; ExecStop comes before it and asks the worker alone, so that tasks
 * are handed back instead of failing by a signal.
 * Type=exec, no readiness: whether a worker is taken in depends on another machine, and must not hold up a boot.
 * References: systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.syntax(7).
 */

import { OctasklyError } from '../../base/errors.ts';
import { commandOf, mark, type ServiceDefinition, serviceTitle } from './definition.ts';

/** A word in double quotes with C escapes; `%` is not a specifier in it. */
function quoted(word: string): string {
  const escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '"': '\\"', '\\': '\\\\', '%': '%%' };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is escaped
  return `"${word.replace(/[\u0000-\u001f\u007f"\\%]/g, (char) => {
    return escapes[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  })}"`;
}

/** Words of a command line; `$` is expanded in all but the first. */
export function execLine([program, ...words]: readonly [string, ...string[]]): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  if (!program.startsWith('/') || /[\u0000-\u001f\u007f"'\\]/.test(program)) {
    throw new OctasklyError(
      'usage',
      `systemd starts no program at ${JSON.stringify(program)}: its path must be absolute, without quotes, backslashes and control characters. Copy it to /usr/local/bin.`,
    );
  }
  return [quoted(program), ...words.map((word) => quoted(word).replaceAll('$', '$$$$'))].join(' ');
}

/**
 * What a worker of the machine can do without. Filters of system calls are not among it: for an account without rights they
 * switch setuid programs off; nor ProtectClock, which closes all devices (GPUs); nor what covers parts of /proc, without
 * the whole of which bubblewrap can mount none for a task.
 */
const workerWalls = ['ProtectSystem=full', 'KeyringMode=private'];

/** Kept by filters of system calls; also for an ordinary user's manager. */
const dispatcherFilters = [
  'NoNewPrivileges=yes',
  'LockPersonality=yes',
  'RestrictRealtime=yes',
  'RestrictSUIDSGID=yes',
  'RestrictNamespaces=yes',
  'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK',
  'SystemCallArchitectures=native',
];

const dispatcherWalls = [
  'ProtectSystem=strict',
  'ProtectHome=read-only',
  'PrivateDevices=yes',
  'ProtectClock=yes',
  'ProtectHostname=yes',
  'ProtectKernelTunables=yes',
  'ProtectKernelModules=yes',
  'ProtectKernelLogs=yes',
  'ProtectControlGroups=yes',
  'KeyringMode=private',
];

/** State that systemd makes itself, with the right owner, where it is in its place for that. */
function stateDirectory(dataDir: string): string[] {
  const name = /^\/var\/lib\/([\w.-]+)$/.exec(dataDir)?.[1];
  return name === undefined ? [] : [`StateDirectory=${name}`, 'StateDirectoryMode=0700'];
}

/** It sees directories /tmp and /var/tmp of its own (`PrivateTmp`). */
export function hasOwnTmp({ role, scope }: Pick<ServiceDefinition, 'role' | 'scope'>): boolean {
  return role === 'dispatcher' && scope === 'system';
}

function hardening(service: ServiceDefinition): string[] {
  const { role, scope, dataDir, writes, bindsLowPort } = service;
  if (role === 'worker') return scope === 'system' ? workerWalls : [];
  if (scope === 'user') return dispatcherFilters;
  const capability = bindsLowPort ? 'CAP_NET_BIND_SERVICE' : '';
  return [
    ...dispatcherFilters,
    ...dispatcherWalls,
    ...(hasOwnTmp(service) ? ['PrivateTmp=yes'] : []),
    `CapabilityBoundingSet=${capability}`,
    ...(bindsLowPort ? [`AmbientCapabilities=${capability}`] : []),
    ...[dataDir, ...writes].map((path) => `ReadWritePaths=${quoted(path)}`),
  ];
}

/** Asks the main process alone, and waits for its end; what is left of the control group is ended by systemd. */
const stopScript = 'kill -s TERM "$1" && while kill -0 "$1" 2>/dev/null; do sleep 0.1; done';

function delegation({ role }: ServiceDefinition): string[] {
  if (role === 'dispatcher') return [];
  return [
    'Delegate=yes',
    'OOMPolicy=continue',
    'TasksMax=infinity',
    `ExecStop=-/bin/sh -c ${quoted(stopScript).replaceAll('$', '$$$$')} stop $MAINPID`,
  ];
}

/** The text of the unit. Error: `usage` for a program at a path that systemd does not start. */
export function systemdUnit(service: ServiceDefinition): string {
  const { scope, account, stopSeconds } = service;
  return [
    `# ${mark}`,
    '[Unit]',
    `Description=${serviceTitle(service)}`,
    // A user's manager knows nothing of the network; both roles wait for it by themselves.
    ...(scope === 'system' ? ['Wants=network-online.target', 'After=network-online.target'] : []),
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    'Type=exec',
    `ExecStart=${execLine(commandOf(service))}`,
    ...(account === null ? [] : [`User=${account}`]),
    'Restart=always',
    'RestartSec=5',
    // A command line or configuration that is not valid will not be valid in five seconds.
    'RestartPreventExitStatus=2',
    'KillMode=control-group',
    `TimeoutStopSec=${stopSeconds}`,
    'UMask=0077',
    ...delegation(service),
    ...(scope === 'system' ? stateDirectory(service.dataDir) : []),
    ...hardening(service),
    '',
    '[Install]',
    `WantedBy=${scope === 'system' ? 'multi-user.target' : 'default.target'}`,
    '',
  ].join('\n');
}
