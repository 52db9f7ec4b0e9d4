/**
 * The definition of a task for Windows' Task Scheduler, as XML: at logon for a user, at boot for the machine. A service in
 * the narrow sense would have to answer the service control manager, which a program of the console does not.
 * No time limit, also on battery, tried again when it fails. At boot it runs as LOCAL SERVICE, an account without rights.
 * References: Task Scheduler Schema (MS-TSCH 2.5); CommandLineToArgvW for the words.
 */

import { commandOf, mark, type ServiceDefinition, serviceTitle, xmlText } from './definition.ts';

/** A word as CommandLineToArgvW reads it back: backslashes count double before a quote alone. */
export function windowsQuoted(word: string): string {
  if (word !== '' && !/[\s"]/.test(word)) return word;
  return `"${word.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`;
}

/** SID of LOCAL SERVICE; its name is another one in each language. */
const localService = 'S-1-5-19';

/** The text of the definition. `user`: `DOMAIN\name` of the scope `user`. Error: `usage` for what XML cannot hold. */
export function scheduledTaskXml(service: ServiceDefinition, user: string): string {
  const [program, ...words] = commandOf(service);
  const isSystem = service.scope === 'system';
  const trigger = isSystem
    ? '<BootTrigger><Enabled>true</Enabled></BootTrigger>'
    : `<LogonTrigger><Enabled>true</Enabled><UserId>${xmlText(user)}</UserId></LogonTrigger>`;
  const principal = isSystem
    ? `<UserId>${localService}</UserId>`
    : `<UserId>${xmlText(user)}</UserId><LogonType>InteractiveToken</LogonType>`;
  return [
    '<?xml version="1.0" encoding="UTF-16"?>',
    '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">',
    `  <RegistrationInfo><Description>${xmlText(`${serviceTitle(service)}. ${mark}`)}</Description></RegistrationInfo>`,
    `  <Triggers>${trigger}</Triggers>`,
    `  <Principals><Principal id="Author">${principal}<RunLevel>LeastPrivilege</RunLevel></Principal></Principals>`,
    '  <Settings>',
    '    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>',
    '    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>',
    '    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>',
    '    <StartWhenAvailable>true</StartWhenAvailable>',
    '    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>',
    '    <Priority>5</Priority>',
    '    <RestartOnFailure><Interval>PT1M</Interval><Count>999</Count></RestartOnFailure>',
    '  </Settings>',
    '  <Actions Context="Author">',
    `    <Exec><Command>${xmlText(program)}</Command><Arguments>${xmlText(words.map(windowsQuoted).join(' '))}</Arguments></Exec>`,
    '  </Actions>',
    '</Task>',
    '',
  ].join('\r\n');
}
