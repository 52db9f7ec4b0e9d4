/**
 * The deny list as a file people edit (TOML; `docs/DENY-LIST.md`). Made with the default rules on first use, read again
 * when it has changed. It does not decide anything: `core/deny` does.
 *
 * Invariants: at start a file that cannot be used is an error, so that nobody is guarded by less than they think; later
 * such a file, or none, leaves the last good rules in force and is logged once. Nothing is read while the file stays as
 * it is, and it is looked at no more often than every `checkMs`.
 */

import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import { createDenyList, type DenyList } from '../core/deny.ts';
import { defaultRules } from '../core/deny-defaults.ts';
import type { DenyRule } from '../core/deny-rules.ts';
import type { Log } from '../ports/time.ts';
import { writePrivate } from './data-dir.ts';

export interface DenyFile {
  readonly denied: DenyList;
  /** The file is not looked at any more; the rules stay in force. */
  close(): void;
}

/** How long a look at the file holds: shorter than anybody needs between saving it and submitting something. */
const checkMs = 50;
const fileBytesMax = 1024 * 1024;
const rulesMax = 1000;

const text = (lengthMax: number) => z.string().min(1, 'must not be empty').max(lengthMax);
const texts = (lengthMax: number) => z.array(text(lengthMax)).max(200).default([]);
const expression = text(1000).refine(isExpression, 'must be a regular expression as JavaScript has them');

const ruleSchema = z
  .strictObject({
    name: text(64).regex(/^[\w.-]+$/, 'must be letters, digits, ".", "_" and "-"'),
    reason: text(200),
    program: texts(256),
    options: texts(256),
    operands: texts(256),
    arguments: expression.optional(),
    redirect_to: texts(256),
    pattern: expression.optional(),
    fork_bomb: z.literal(true, 'must be true, or not there').optional(),
  })
  .transform((rule, context): DenyRule => {
    const { name, reason, pattern, fork_bomb: isForkBomb } = rule;
    const asks = [rule.program, rule.options, rule.operands, rule.redirect_to].some(({ length }) => length > 0);
    const kinds = [asks || rule.arguments !== undefined, pattern !== undefined, isForkBomb === true];
    if (kinds.filter(Boolean).length !== 1) {
      context.addIssue(
        'must have either "pattern", or "fork_bomb", or at least one of "program", "options", "operands", "arguments" and "redirect_to"',
      );
      return z.NEVER;
    }
    if (pattern !== undefined) return { name, reason, kind: 'text', pattern };
    if (isForkBomb === true) return { name, reason, kind: 'fork-bomb' };
    return {
      ...{ name, reason, kind: 'command', programs: rule.program, options: rule.options, operands: rule.operands },
      ...{ arguments: rule.arguments ?? null, redirectTo: rule.redirect_to },
    };
  });

const fileSchema = z.strictObject({ rules: z.array(ruleSchema).max(rulesMax) }).superRefine(({ rules }, context) => {
  const names = rules.map(({ name }) => name);
  const again = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (again >= 0) context.addIssue({ code: 'custom', path: ['rules', again, 'name'], message: 'is taken already' });
});

function isExpression(source: string): boolean {
  try {
    return new RegExp(source) instanceof RegExp;
  } catch {
    return false;
  }
}

/** The rules in a text. Throws `usage` with every place that is wrong. */
export function readRules(toml: string, file: string): readonly DenyRule[] {
  const wrong = (what: string): OctasklyError =>
    new OctasklyError('usage', `The deny list "${file}" cannot be used: ${what}. To have none, write: rules = []`);
  let found: unknown;
  try {
    found = Bun.TOML.parse(toml);
  } catch (error) {
    throw wrong(`it is not valid TOML (${reasonOf(error)})`);
  }
  const checked = fileSchema.safeParse(found);
  if (checked.success) return checked.data.rules;
  const issues = checked.error.issues.slice(0, 10);
  throw wrong(issues.map(({ path, message }) => `${placeOf(path, found)}: ${lowerFirst(message)}`).join('; '));
}

/** `rule "x", options.1` for a place in the file, counted from 1 as people do. */
function placeOf(path: readonly PropertyKey[], found: unknown): string {
  const [first, index, ...rest] = path;
  if (first === undefined) return 'the file';
  if (typeof index !== 'number') return `"${String(first)}"`;
  const rule = z.object({ rules: z.array(z.unknown()) }).safeParse(found).data?.rules[index];
  const name = z.object({ name: z.string() }).safeParse(rule).data?.name.slice(0, 64);
  const whole = name === undefined ? `rule ${index + 1}` : `rule ${index + 1} ("${name}")`;
  const inside = rest.map((part) => (typeof part === 'number' ? part + 1 : String(part)));
  return inside.length === 0 ? whole : `${whole}, ${inside.join(' ')}`;
}

const lowerFirst = (message: string): string => message.charAt(0).toLowerCase() + message.slice(1);

const heading = `# Commands this dispatcher refuses. A guard against accidents, not a boundary: whoever wants to get around it can.
# What a task may reach on a worker is decided by its isolation, not here.
#
# Edit it while the dispatcher runs: the next submission is judged by what is saved. A file that cannot be read leaves
# the rules before it in force, and the log says why. To switch the list off, replace everything by: rules = []
#
# A rule hits when everything it asks for holds for one command in the text. Quotes are understood, sudo, env, timeout,
# sh -c and their like are looked through, and a path is compared by the place it names (//, /., /tmp/.. and /* are /).
#   program      any of these names, without a directory; * and ? as in names of files
#   options      all of these; spellings of one option: "-r|-R|--recursive"
#   operands     any of these; * within one part of a path, ** over parts; ~ is the home directory
#   arguments    a regular expression on all arguments, joined by single spaces
#   redirect_to  any of these is written to with > or >> and their like
# or, alone: pattern, a regular expression on the whole text, in quotes too; or fork_bomb = true.`;

/** Rules as the text of a file. */
export function writeRules(rules: readonly DenyRule[]): string {
  return [heading, ...rules.map(writeRule)].join('\n\n');
}

function writeRule(rule: DenyRule): string {
  const lines = ['[[rules]]', `name = ${quoted(rule.name)}`, `reason = ${quoted(rule.reason)}`];
  const list = (key: string, values: readonly string[]): void => {
    if (values.length > 0) lines.push(`${key} = [${values.map(quoted).join(', ')}]`);
  };
  if (rule.kind === 'text') lines.push(`pattern = ${quoted(rule.pattern)}`);
  if (rule.kind === 'fork-bomb') lines.push('fork_bomb = true');
  if (rule.kind === 'command') {
    list('program', rule.programs);
    list('options', rule.options);
    list('operands', rule.operands);
    if (rule.arguments !== null) lines.push(`arguments = ${quoted(rule.arguments)}`);
    list('redirect_to', rule.redirectTo);
  }
  return lines.join('\n');
}

/** As a literal string where that can be read more easily: backslashes stay single. */
function quoted(value: string): string {
  return value.includes('\\') && !value.includes("'") ? `'${value}'` : JSON.stringify(value);
}

/** The state of the file that was judged last; null = it could not be looked at. */
function stamp(file: string): string | null {
  try {
    const { mtimeMs, size, ino } = statSync(file);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return null;
  }
}

/** Error: `io`. */
function load(file: string): { rules: readonly DenyRule[]; denied: DenyList } {
  let toml: string;
  try {
    const { size } = statSync(file);
    if (size > fileBytesMax) throw new Error(`it has ${size} bytes, at most ${fileBytesMax} are read`);
    toml = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new OctasklyError('io', `Cannot read the deny list "${file}": ${reasonOf(cause)}.`, { cause });
  }
  const rules = readRules(toml, file);
  return { rules, denied: createDenyList(rules) };
}

/**
 * The deny list kept in `file`, made with the default rules when there is none. Errors: `usage` when the file does not
 * hold rules, `io`.
 */
export function openDenyList({ file, log }: { readonly file: string; readonly log: Log }): DenyFile {
  if (stamp(file) === null) writePrivate(file, writeRules(defaultRules));
  let seen = stamp(file);
  let { rules, denied } = load(file);
  if (rules.length === 0) log.warn('the deny list is empty: no command is refused', { file });
  let checkAt = performance.now() + checkMs;

  function refresh(): void {
    const now = performance.now();
    if (now < checkAt) return;
    checkAt = now + checkMs;
    const present = stamp(file);
    if (present === seen) return;
    seen = present;
    try {
      ({ rules, denied } = load(file));
      log.info('the deny list was read again', { file, rules: rules.length });
    } catch (error) {
      log.warn('the deny list cannot be read; the rules before stay in force', { file, reason: reasonOf(error) });
    }
  }

  return {
    denied(question) {
      refresh();
      return denied(question);
    },
    close() {
      checkAt = Number.POSITIVE_INFINITY;
    },
  };
}
