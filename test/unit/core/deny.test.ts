// biome-ignore-all lint/suspicious/noTemplateCurlyInString: texts for a shell
import { describe, expect, test } from 'bun:test';
import { createDenyList } from '../../../src/core/deny.ts';
import { defaultRules } from '../../../src/core/deny-defaults.ts';
import type { CommandRule, DenyRule } from '../../../src/core/deny-rules.ts';

const defaults = createDenyList(defaultRules);
const ruleOf = (answer: string | null): string | null => answer && (/^rule "([^"]+)"/.exec(answer)?.[1] ?? answer);
const hit = (command: string): string | null => ruleOf(defaults({ command, argv: null }));

function rule(asks: Partial<CommandRule> & { readonly name?: string }): DenyRule {
  const nothing = { programs: [], options: [], operands: [], arguments: null, redirectTo: [] };
  return { name: 'r', reason: 'because', kind: 'command', ...nothing, ...asks };
}

describe('the default rules refuse', () => {
  test.each([
    // The root in its spellings.
    ...[
      'rm -rf /',
      'rm -r -f /',
      'rm -Rf /',
      'rm --recursive --force -- /',
      'rm --recurs /',
      'rm / -rf',
      '/bin/rm -fr //',
    ],
    ...[
      'rm -rf /*',
      'rm -rf /.',
      'rm -rf /tmp/..',
      'rm -rf /../..',
      'rm -rf "/"',
      "rm -rf '/'",
      'RM -RF /',
      'rm -rf /etc',
    ],
    ...[
      "rm -rf $'\\x2f'",
      'r""m -rf /',
      '\\rm -rf /',
      'rm \\\n -rf \\\n /',
      'rm -rf / # x',
      'rm -rf --no-preserve-root /',
    ],
    // Wherever it stands.
    ...['cd / && rm -rf *', 'cd /etc; rm -rf ../*', '(cd /; rm -rf .)', 'a; rm -rf /', 'a & rm -rf /', 'A=1 rm -rf /'],
    ...['if a; then rm -rf /; fi', 'for i in 1; do rm -rf /; done', '{ rm -rf /; }', '! rm -rf /', 'f() { rm -rf /; }'],
    ...['case x in x) rm -rf / ;; esac', 'a $(rm -rf /)', 'a "`rm -rf /`"', 'x=$(rm -rf /)', 'a "${x:-$(rm -rf /)}"'],
    // Through other programs.
    ...[
      'sudo rm -rf /',
      'sudo -u root -- nice -n 10 rm -rf /',
      'sudo -i rm -rf /',
      'sudo --user root --chdir=/x rm -rf /',
      'doas rm -rf /',
      'env -u B A=b rm -rf /',
    ],
    ...['timeout -s KILL 5 rm -rf /', 'nohup rm -rf / &', 'time rm -rf /', 'command rm -rf /', 'exec rm -rf /'],
    ...[
      'setsid rm -rf /',
      'stdbuf -oL rm -rf /',
      'ionice -c 3 rm -rf /',
      'busybox rm -rf /',
      'xargs -n 1 rm -rf / < x',
    ],
    ...["sh -c 'rm -rf /'", 'bash -ec "rm -rf /"', 'bash -o pipefail -c "rm -rf /"', 'sudo sh -c "sh -c \'rm -rf /\'"'],
    ...[
      'eval rm -rf /',
      'watch -n 1 rm -rf /',
      "watch 'rm -rf /'",
      "trap 'rm -rf /' EXIT",
      'parallel -j 2 rm -rf ::: /',
      'eval "rm -rf /"',
      'su -c "rm -rf /"',
      'su root -c "rm -rf /"',
      "echo 'rm -rf /' | sudo sh",
    ],
    ...['sh <<E\nrm -rf /\nE', 'bash <<< "rm -rf /"', 'find / -exec rm -rf {} +', "find / -exec sh -c 'rm -rf {}' \\;"],
  ])('to remove the system: %s', (command) => expect(hit(command)).toBe('remove-system'));

  test.each([
    ...(
      ['rm -rf ~', 'rm -rf ~/', 'rm -rf "$HOME"', 'rm -rf ${HOME}/*', 'rm -rf $HOME/.', 'cd && rm -rf .'] as const
    ).map((command) => ['remove-home', command] as const),
    ['remove-home', 'rm -r ~pi'],
    ['remove-home', 'rm -rf /home/pi/*'],
    ['find-delete', 'find / -delete'],
    ['find-delete', 'find / -type f -delete'],
    ['change-system-owner', 'chmod -R 777 /'],
    ['change-system-owner', 'chown -R u:g /usr'],
    ['move-root', 'mv /* /tmp'],
    ['move-to-null', 'mv a b /dev/null'],
    ['fork-bomb', ':(){ :|:& };:'],
    ['fork-bomb', ':(){:|:&};:'],
    ['fork-bomb', 'bomb() {\n  bomb | bomb &\n}; bomb'],
    ['fork-bomb', 'function f { f & f & }; f'],
    ['fork-bomb', "bash -c ':(){ :|:& };:'"],
    ['fork-loop', "perl -e 'fork while fork'"],
    ['fork-loop', "perl -e 'while (1) { fork }'"],
    ['fork-loop', "python3 -c 'import os\nwhile True: os.fork()'"],
    ['write-disk', 'cat x > /dev/nvme0n1'],
    ['write-disk', '{ cat x; } >/dev//./sda'],
    ['write-disk', 'sudo sh -c "cat x >> /dev/mmcblk0"'],
    ['overwrite-disk', 'dd if=x of=/dev/sda bs=1M'],
    ['copy-to-disk', 'cp image /dev/sda'],
    ['erase-disk', 'mkfs.ext4 /dev/sda1'],
    ['erase-disk', 'mkfs -t vfat /dev/mmcblk0p1'],
    ['erase-disk', 'wipefs -a /dev/sda'],
    ['erase-disk', 'cat x | sudo tee /dev/sda'],
    ['erase-disk-macos', 'diskutil eraseDisk JHFS+ x disk2'],
    ['overwrite-accounts', '> /etc/passwd'],
    ['kernel-trigger', 'echo b > /proc/sysrq-trigger'],
    ['shut-down', 'shutdown -h now'],
    ['shut-down', '/sbin/reboot'],
    ['shut-down', 'sudo poweroff'],
    ['shut-down', 'halt -f'],
    ['change-runlevel', 'init 0'],
    ['stop-system', 'systemctl poweroff'],
    ['stop-system', 'systemctl --no-wall reboot -i'],
    ['kill-everything', 'kill -9 -1'],
    ['kill-everything', 'kill -s KILL -- -1'],
    ['remove-crontab', 'crontab -r'],
    ['format-drive', 'format C:'],
    ['format-drive', 'cmd /c format c: /q'],
    ['remove-drive', 'del /s /q C:\\'],
    ['remove-drive', 'rd /s /q C:\\'],
    ['remove-drive', 'del /f /s /q C:\\*.*'],
    ['remove-drive', 'rmdir /s /q "C:\\"'],
    ['batch-bomb', '%0|%0'],
  ])('by %s: %s', (name, command) => expect(hit(command)).toBe(name));

  test('programs with arguments, where no shell reads them', () => {
    const ask = (...argv: string[]): string | null => ruleOf(defaults({ command: null, argv }));
    expect(ask('rm', '-rf', '/')).toBe('remove-system');
    expect(ask('/usr/bin/sudo', 'sh', '-c', 'cd / && rm -rf *')).toBe('remove-system');
    expect([ask('echo', 'rm -rf /'), ask('rm', '-rf', '~'), ask('rm', '-rf', '$HOME'), ask()]).toEqual([
      null,
      null,
      null,
      null,
    ]);
  });

  test('what a directory to start in makes dangerous', () => {
    const command = 'rm -rf *';
    expect(ruleOf(defaults({ command, argv: null, workdir: '/' }))).toBe('remove-system');
    expect(defaults({ command, argv: null, workdir: '/data/x' })).toBeNull();
    expect(defaults({ command, argv: null, workdir: 'x' })).toBeNull();
  });
});

describe('the default rules let through', () => {
  test.each([
    ...[
      'echo "rm -rf /"',
      'echo rm -rf /',
      "grep 'rm -rf /' log",
      'git commit -m "rm -rf /"',
      'x="rm -rf /"',
      '# rm -rf /',
    ],
    ...[
      'rm -rf ./build',
      'rm -rf *',
      'rm -rf /tmp/x',
      'rm -rf /tmp/*',
      'rm -f /tmp/*',
      'rm -rf ~/build',
      'rm -rf "$HOME/build"',
    ],
    ...[
      "rm -rf '~'",
      "rm -rf '$HOME'",
      'rm -r "$DIR/"',
      'rm -rf /var/lib/apt/lists/*',
      'sudo rm -rf /opt/x',
      'cat <<E\nrm -rf /\nE',
    ],
    ...[
      '(cd / && ls); rm -rf *',
      'cd /tmp/x && rm -rf *',
      'command -v rm',
      'ls /',
      'tar cf - / | gzip',
      'rsync -a / /backup',
    ],
    ...[
      'find . -delete',
      'find /tmp/x -delete',
      'find . -exec rm -rf {} +',
      'find / -name x -print',
      'xargs rm -rf < x',
    ],
    ...['chmod -R 755 build', 'chmod 755 /', 'chmod -R u+x ./', 'mv a b', 'mv /tmp/x /', "echo ':(){ :|:& };:'"],
    ...[
      'f() { f; }',
      'tick() { sleep 60; tick & }',
      'f() { f; f; }',
      'f() { echo x & }; f',
      'walk() { walk "$1/a"; }',
      'dd if=/dev/sda of=image',
      'dd if=/dev/zero of=/dev/shm/x',
    ],
    ...[
      'cat x > /dev/null',
      'a 2>/dev/null >&2',
      'cp /dev/sda image',
      'mkfs.ext4 disk.img',
      'fdisk -l /dev/sda',
      'cat /dev/sda',
    ],
    ...[
      'man reboot',
      'echo reboot',
      './reboot.sh',
      'systemctl status x',
      'init',
      'kill -1 123',
      'kill -9 123',
      'crontab -l',
    ],
    ...['npm run format', 'format', 'del /q C:\\build', 'rmdir build', 'sh script.sh', 'echo $((1<<2))\nls', ''],
  ])('%s', (command) => expect(hit(command)).toBeNull());
});

describe('createDenyList()', () => {
  const ask = (rules: readonly DenyRule[], command: string): string | null =>
    createDenyList(rules)({ command, argv: null });

  test('says the rule, its reason and what hit it, on one line of bounded length', () => {
    expect(ask([rule({ programs: ['a'] })], 'x; sudo a  "b\nc"; y')).toBe('rule "r" (because): a b c');
    const long = ask([rule({ programs: ['a'] })], `a ${'b'.repeat(1000)}`) ?? '';
    expect(long.length).toBeLessThan(150);
    expect(long).toEndWith('b…');
  });

  test('asks nothing when it is empty', () => expect(ask([], 'rm -rf /')).toBeNull());

  test('hits when everything a rule asks for holds of one command', () => {
    const rules = [rule({ programs: ['a', 'b*'], options: ['-x|--ex', '-y'], operands: ['/p/*'], arguments: ' z$' })];
    for (const command of ['a -xy /p/q z', 'bee --ex=1 -y /p/./q z', 'a -x -y -- /p/q z']) {
      expect(ask(rules, command)).not.toBeNull();
    }
    for (const command of ['a -x /p/q z', 'c -xy /p/q z', 'a -xy /p/q/r z', 'a -xy /p/q', 'a -x; a -y /p/q z']) {
      expect(ask(rules, command)).toBeNull();
    }
  });

  test('hits any program by what it is given, or writes to, when a rule names none', () => {
    expect(ask([rule({ operands: ['/p/**'] })], 'anything /p/q/r')).not.toBeNull();
    const rules = [rule({ redirectTo: ['/p/*'] })];
    expect(ask(rules, 'a; b 2>> /p/q')).toBe('rule "r" (because): b > /p/q');
    expect(ask(rules, 'cd /p; b > q')).not.toBeNull();
    expect([ask(rules, 'b < /p/q'), ask(rules, 'b /p/q'), ask(rules, 'b > /p')]).toEqual([null, null, null]);
  });

  test('finds a pattern in the whole text, in quotes too', () => {
    const rules: DenyRule[] = [{ name: 't', reason: 'x', kind: 'text', pattern: 'b{3}' }];
    expect(ask(rules, 'a "bbb"')).toBe('rule "t" (x): a "bbb"');
    expect(createDenyList(rules)({ command: null, argv: ['a', 'abbb'] })).not.toBeNull();
    expect(ask(rules, 'bb b')).toBeNull();
  });

  test('names the first rule of the list that fits', () => {
    const rules = [rule({ name: 'one', programs: ['b*'] }), rule({ name: 'two', programs: ['bee'] })];
    expect([ruleOf(ask(rules, 'bee')), ruleOf(ask(rules.toReversed(), 'bee'))]).toEqual(['one', 'two']);
  });

  test('throws SyntaxError for an expression that is none', () => {
    expect(() => createDenyList([rule({ arguments: '(' })])).toThrow(SyntaxError);
  });
});

test('createDenyList() answers for the longest commands in time that grows with their length', () => {
  const parts = [
    'a;',
    'a|',
    '(',
    '$(',
    '$((',
    '"$(',
    '`',
    '${',
    '{ ',
    'f(){ f|',
    '/',
    'C:/',
    '~',
    '%0 ',
    '-r ',
    '* ',
    '<<a\n',
  ];
  const more = [
    '> a ',
    'sudo ',
    'eval ',
    'eval a;',
    'sh -c "',
    'sh -c a;',
    'echo a|sh;',
    'find / -exec rm {} ',
    'a ',
    ' ',
  ];
  const starts = ['', 'rm -r ', 'kill ', 'format C:', 'perl '];
  for (const start of starts) {
    for (const part of [...parts, ...more]) {
      const command = (start + part.repeat(131_072 / part.length)).slice(0, 131_072);
      const startedAt = performance.now();
      defaults({ command, argv: null });
      // Squared time would be minutes; this bound is for busy machines.
      expect(performance.now() - startedAt).toBeLessThan(2_000);
    }
  }
}, 60_000);
