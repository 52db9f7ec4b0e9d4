import { describe, expect, test } from 'bun:test';
import {
  destinationText,
  isAllowedHost,
  mayNotify,
  originOf,
  parseDestination,
} from '../../../src/core/destination.ts';

function textOf(text: string): string {
  const parsed = parseDestination(text);
  return 'value' in parsed ? destinationText(parsed.value) : parsed.problem;
}

describe('parseDestination()', () => {
  test.each([
    ['https://example.org/hook', 'json:https://example.org/hook'],
    ['HTTP://Example.org', 'json:http://example.org/'],
    ['https://hooks.slack.com/services/T/B/x', 'slack:https://hooks.slack.com/services/T/B/x'],
    ['slack:http://chat.home:8065/hooks/x', 'slack:http://chat.home:8065/hooks/x'],
    ['slack+https://chat.home/x', 'slack:https://chat.home/x'],
    ['https://ntfy.sh/topic', 'ntfy:https://ntfy.sh/topic'],
    ['ntfy:http://10.0.0.1/topic?auth=x', 'ntfy:http://10.0.0.1/topic?auth=x'],
    ['json:https://ntfy.sh/x', 'json:https://ntfy.sh/x'],
    ['https://example.org/a#b', 'json:https://example.org/a'],
  ])('takes %s', (text, expected) => {
    expect(textOf(text)).toBe(expected);
    expect(textOf(expected)).toBe(expected);
  });

  test.each([
    ['', 'is not an address'],
    ['make', 'is not an address'],
    ['ftp://example.org/', 'is not an address'],
    ['file:///etc/passwd', 'is not an address'],
    ['javascript:alert(1)', 'is not an address'],
    ['https://', 'is not an address'],
    ['teams:https://example.org', 'is not an address'],
    ['https://ada:pass@example.org/', 'names a user or a password'],
    ['https://ntfy.sh/', 'names no topic'],
  ])('refuses %s', (text, problem) => {
    expect(textOf(text)).toStartWith(problem);
  });

  test.each(['\r\n', '\n', '\t', ' ', '\0', '\u0085'])('refuses %j, which URL would leave out in silence', (char) => {
    expect(textOf(`https://example.org/a${char}x: y`)).toStartWith('holds a space, a line end');
    expect(textOf(`https://example.org/a${char}`)).toStartWith('holds a space, a line end');
  });

  test('refuses what is too long', () => {
    expect(textOf(`https://example.org/${'x'.repeat(2048)}`)).toBe('has more than 2048 characters');
  });
});

test('originOf() shows nothing of the path', () => {
  expect(originOf('slack:https://hooks.slack.com/services/secret')).toBe('https://hooks.slack.com');
  expect(originOf('nonsense')).toBe('an address that is not valid');
});

test('mayNotify() goes by scheme, host and port', () => {
  const allowed = { origins: ['https://a.home', 'http://b.home:81'], hosts: ['C.home', 'd.home:8080', '[::1]:9'] };
  const may = (text: string): boolean => mayNotify(text, allowed);
  expect(['https://a.home/x', 'ntfy:http://b.home:81/x', 'http://c.home/', 'https://c.home/'].map(may)).not.toContain(
    false,
  );
  expect(['http://d.home:8080/', 'http://[::1]:9/'].map(may)).not.toContain(false);
  const refused = ['http://a.home/', 'https://a.home:444/', 'http://b.home/', 'http://c.home:6379/', 'http://d.home/'];
  expect([...refused, 'http://a.home.evil/', 'http://127.0.0.1/', 'nonsense'].map(may)).not.toContain(true);
});

test('isAllowedHost() wants a host, perhaps with a port', () => {
  expect(['nas', 'nas.home:8080', '[::1]:9', '10.0.0.1'].map(isAllowedHost)).not.toContain(false);
  expect(['http://nas', 'nas/x', 'nas:', '', 'a b', '*'].map(isAllowedHost)).not.toContain(true);
});
