/**
 * The init script of a service for OpenRC, kept running by supervise-daemon. OpenRC puts `command_args` through the shell
 * twice, and between the two splits it at spaces: each argument is a variable, and only its name goes that way.
 * References: openrc-run(8), supervise-daemon(8), OpenRC sh/supervise-daemon.sh.
 */

import { mark, type ServiceDefinition, serviceName, serviceTitle, shellQuoted } from './definition.ts';

/** The text of the script, for /etc/init.d. */
export function openrcScript(service: ServiceDefinition): string {
  const { program, role, options, account, dataDir, stopSeconds } = service;
  const [file, ...before] = program;
  const words = [...before, role, ...options];
  const name = serviceName(service);
  return [
    '#!/sbin/openrc-run',
    `# ${mark}`,
    `name=${shellQuoted(serviceTitle(service))}`,
    'supervisor=supervise-daemon',
    `command=${shellQuoted(file)}`,
    ...words.map((word, index) => `octaskly_${index}=${shellQuoted(word)}`),
    `command_args='${words.map((_, index) => `"$octaskly_${index}"`).join(' ')}'`,
    ...(account === null ? [] : [`command_user=${shellQuoted(account)}`]),
    `pidfile=/run/${name}.pid`,
    'respawn_delay=5',
    'respawn_max=0',
    `retry="TERM/${stopSeconds}/KILL/5"`,
    'umask=077',
    '',
    'depend() {',
    '\tuse net',
    '\tafter firewall',
    '}',
    '',
    'start_pre() {',
    `\tcheckpath --directory --mode 0700${account === null ? '' : ` --owner ${shellQuoted(account)}`} ${shellQuoted(dataDir)}`,
    '}',
    '',
  ].join('\n');
}
