/**
 * The rules a deny list begins with: what ruins a machine in one line and is nobody's daily work. They err on the side of
 * letting through: a rule that stands in the way is switched off as a whole, and then guards nothing. Every expression here
 * takes linear time: none can begin at more than one place and then read on to the end.
 */

import type { CommandRule, DenyRule } from './deny-rules.ts';

const disks = [
  'sd*',
  'hd*',
  'vd*',
  'xvd*',
  'nvme*',
  'mmcblk*',
  'md*',
  'dm-*',
  'mapper/*',
  'disk*',
  'disk/**',
  'rdisk*',
];
const devices = disks.map((name) => `/dev/${name}`);
/** As a regular expression, for what is written to last. */
const diskAtEnd = String.raw`(^| )/dev/((sd|hd|vd|xvd|nvme|mmcblk|md|dm-|r?disk)[^/ ]*|(mapper|disk)/\S+)$`;
const memories = ['/dev/mem', '/dev/kmem', '/dev/port'];

const unixPlaces = [
  'bin',
  'boot',
  'dev',
  'etc',
  'home',
  'lib',
  'lib32',
  'lib64',
  'proc',
  'root',
  'sbin',
  'sys',
  'usr',
  'var',
];
const moreOfUsr = ['usr/bin', 'usr/lib', 'usr/sbin', 'usr/share', 'var/lib'];
const macPlaces = ['System', 'System/**', 'Library', 'Applications', 'Users', 'Volumes', 'private'];
const systemPlaces = ['/', ...[...unixPlaces, ...moreOfUsr, ...macPlaces].map((name) => `/${name}`)];
const homes = ['~', '~*', '/home/*', '/Users/*'];
const accounts = ['passwd', 'shadow', 'group', 'gshadow', 'sudoers', 'fstab'].map((name) => `/etc/${name}`);
const recursive = '-r|-R|--recursive';
/** A whole drive of Windows, or what it needs there; a shell has taken backslashes away. */
const drive = String.raw`(^| )["']?[A-Za-z]:[\\/]{0,2}(Windows|Users|Program Files)?[\\/]{0,2}[*.]{0,3}["' ]{0,3}( |$)`;

function rule(name: string, reason: string, asks: Partial<Omit<CommandRule, 'kind'>>): DenyRule {
  const nothing = { programs: [], options: [], operands: [], arguments: null, redirectTo: [] };
  return { name, reason, kind: 'command', ...nothing, ...asks };
}

/** In the order in which they are asked. */
export const defaultRules: readonly DenyRule[] = [
  rule('remove-system', 'removes the root directory or one the system needs', {
    programs: ['rm', 'srm'],
    options: [recursive],
    operands: [...systemPlaces, '?:', '?:/', '?:/*'],
  }),
  rule('remove-home', 'removes a home directory', {
    programs: ['rm', 'srm'],
    options: [recursive],
    operands: homes,
  }),
  rule('find-delete', 'removes what it finds in the root directory, a home, or one the system needs', {
    programs: ['find'],
    options: ['-delete'],
    operands: [...systemPlaces, ...homes],
  }),
  rule('change-system-owner', 'changes owners or permissions of the whole system', {
    programs: ['chmod', 'chown', 'chgrp', 'chattr', 'setfacl'],
    options: [recursive],
    operands: systemPlaces,
  }),
  rule('move-root', 'moves away what is in the root directory', {
    programs: ['mv'],
    arguments: String.raw`^(-\S+ )*/+(\*|\.\*?)? `,
  }),
  rule('move-to-null', 'moves files into /dev/null, where they are lost', {
    programs: ['mv'],
    arguments: ' /dev/null$',
  }),
  { name: 'fork-bomb', reason: 'starts copies of itself until the machine stops', kind: 'fork-bomb' },
  rule('fork-loop', 'starts processes without end', {
    programs: ['perl', 'ruby', 'python*'],
    arguments: String.raw`\bfork(\(\))? while (fork|1)\b|\bwhile ?\(?(1|True|true)\)?[:{;\s]{1,8}(os\.)?fork\b`,
  }),
  rule('write-disk', 'writes to a disk, a partition or memory as a whole', { redirectTo: [...devices, ...memories] }),
  rule('overwrite-disk', 'writes over a disk or a partition', {
    programs: ['dd'],
    operands: [...devices, ...memories].map((device) => `of=${device}`),
  }),
  rule('copy-to-disk', 'writes over a disk or a partition', {
    programs: ['cp', 'mv', 'install'],
    arguments: diskAtEnd,
  }),
  rule('erase-disk', 'erases a disk or a partition', {
    programs: [
      ...['mkfs', 'mkfs.*', 'mke2fs', 'mkdosfs', 'mkntfs', 'newfs*', 'mkswap', 'wipefs', 'shred', 'wipe', 'blkdiscard'],
      ...[
        'badblocks',
        'sgdisk',
        'sfdisk',
        'fdisk',
        'parted',
        'pvcreate',
        'tee',
        'truncate',
        'hdparm',
        'nvme',
        'cryptsetup',
      ],
    ],
    operands: devices,
    arguments: '^(?!.{0,200}(-l|--list|-I|list|id-ctrl|smart-log|status|print|luksDump|open|close)( |$))',
  }),
  rule('erase-disk-macos', 'erases a disk', {
    programs: ['diskutil'],
    arguments: '^(erase|partition|zero|random|secureErase|reformat)',
  }),
  rule('overwrite-accounts', 'writes over a file the system needs to start or to let people in', {
    redirectTo: [...accounts, '/boot/**'],
  }),
  rule('kernel-trigger', 'orders the kernel to restart or crash', { redirectTo: ['/proc/sysrq-trigger'] }),
  rule('shut-down', 'shuts the machine down', {
    programs: ['shutdown', 'reboot', 'poweroff', 'halt', 'stop-computer', 'restart-computer'],
  }),
  rule('change-runlevel', 'shuts the machine down', {
    programs: ['init', 'telinit'],
    arguments: '^[016sS]( |$)',
  }),
  rule('stop-system', 'shuts the machine down', {
    programs: ['systemctl', 'loginctl'],
    arguments: String.raw`^(-\S+ )*(poweroff|reboot|halt|kexec|soft-reboot|suspend|hibernate|rescue|emergency)( |$)`,
  }),
  rule('kill-everything', 'ends every process it may', {
    programs: ['kill'],
    arguments: String.raw`^\S+ (.* )?-1( |$)`,
  }),
  rule('kill-all', 'ends every process it may', { programs: ['killall5'] }),
  rule('remove-crontab', 'removes all jobs of a crontab', { programs: ['crontab'], options: ['-r'] }),
  rule('remove-drive', 'removes all files of a drive', {
    programs: ['del', 'erase', 'rd', 'rmdir', 'remove-item'],
    arguments: drive,
  }),
  rule('format-drive', 'erases a drive', { programs: ['format', 'format.com'], arguments: drive }),
  rule('clear-drive', 'erases a drive', { programs: ['format-volume', 'clear-disk'] }),
  {
    name: 'batch-bomb',
    reason: 'starts copies of itself until the machine stops',
    kind: 'text',
    pattern: '%0 {0,8}\\| {0,8}%0',
  },
];
