/**
 * The property list of a service for launchd: a LaunchAgent of a user, or a LaunchDaemon of the machine.
 * ProcessType=Standard: launchd otherwise slows down what it takes for background work, and tasks with it.
 * Reference: launchd.plist(5).
 */

import { commandOf, mark, type ServiceDefinition, xmlText } from './definition.ts';

/** `io.octaskly.worker`, `io.octaskly.worker.attic`. */
export function launchdLabel({ role, instance }: Pick<ServiceDefinition, 'role' | 'instance'>): string {
  return `io.octaskly.${role}${instance === null ? '' : `.${instance}`}`;
}

/** The text of the list. `outputFile` takes what is said before the log is open. Error: `usage` for what XML cannot hold. */
export function launchdPlist(service: ServiceDefinition, outputFile: string): string {
  const string = (text: string): string => `<string>${xmlText(text)}</string>`;
  const entry = (key: string, value: string): string => `\t<key>${key}</key>\n\t${value}`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    `<!-- ${mark} -->`,
    '<plist version="1.0">',
    '<dict>',
    entry('Label', string(launchdLabel(service))),
    entry('ProgramArguments', `<array>\n\t\t${commandOf(service).map(string).join('\n\t\t')}\n\t</array>`),
    ...(service.account === null ? [] : [entry('UserName', string(service.account))]),
    entry('RunAtLoad', '<true/>'),
    entry('KeepAlive', '<true/>'),
    entry('ThrottleInterval', '<integer>10</integer>'),
    entry('ExitTimeOut', `<integer>${service.stopSeconds}</integer>`),
    entry('ProcessType', string('Standard')),
    entry('Umask', '<integer>63</integer>'),
    entry('StandardOutPath', string(outputFile)),
    entry('StandardErrorPath', string(outputFile)),
    '</dict>',
    '</plist>',
    '',
  ].join('\n');
}
