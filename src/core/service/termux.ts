/**
 * The script of a service for Termux:Boot, which runs what is in ~/.termux/boot when the phone has started. The wake lock
 * keeps Android from sleeping while it works. A loop starts the program again; what is not valid (status 2) ends it.
 * Reference: the readme of Termux:Boot.
 */

import { commandOf, mark, type ServiceDefinition, shellQuoted } from './definition.ts';

/** The text of the script. `prefix`: Termux's own; `pidFile`: where the loop says who it is. */
export function termuxScript(service: ServiceDefinition, { prefix, pidFile }: TermuxPlaces): string {
  return [
    `#!${prefix}/bin/sh`,
    `# ${mark}`,
    'termux-wake-lock',
    `pid_file=${shellQuoted(pidFile)}`,
    'umask 077',
    '(',
    '\ttrap \'kill "$child" 2>/dev/null; wait "$child"; rm -f "$pid_file"; exit 0\' TERM INT',
    '\twhile :; do',
    `\t\t${commandOf(service).map(shellQuoted).join(' ')} &`,
    '\t\tchild=$!',
    '\t\twait "$child"',
    '\t\t[ $? -eq 2 ] && break',
    '\t\tsleep 5',
    '\tdone',
    '\trm -f "$pid_file"',
    ') </dev/null >/dev/null 2>&1 &',
    'echo $! >"$pid_file"',
    '',
  ].join('\n');
}

export interface TermuxPlaces {
  readonly prefix: string;
  readonly pidFile: string;
}
