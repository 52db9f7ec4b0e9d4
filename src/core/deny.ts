/**
 * The deny list: commands that are refused because they would ruin the machine they run on. A guard against accidents,
 * such as a line pasted into the wrong window; not a boundary: who wants to get around it can. What a task may reach is the
 * sandbox's business.
 *
 * It looks at what a command does, not at what is written in it: the text is read as a shell reads it, programs that
 * start others are looked through, and paths are compared by the place they name. `sudo /bin/rm -fr -- //` hits,
 * `echo "rm -rf /"` does not.
 *
 *   text ──shell-words──> simple commands ──shell-programs──> programs ──deny-rules──> the first rule that fits
 *                                  ^                          scripts
 *                                  └─────────────────────────────┘
 *
 * Invariants: total, and never throws once the rules are compiled; time is linear in the text as far as the regular
 * expressions of the rules are; scripts within scripts are read to a bounded depth.
 */

import { CompiledRule, type DenyRule, describe, Invocation, joined, targetsOf } from './deny-rules.ts';
import { directoryAfter } from './shell-places.ts';
import { runningOf } from './shell-programs.ts';
import { parseShell, type Redirection, type ShellNode, type SimpleCommand, type Word } from './shell-words.ts';

/** What a task would run: a text for the shell, or a program and its arguments. */
export interface DenyQuestion {
  readonly command: string | null;
  readonly argv: readonly string[] | null;
  /** Where it starts; counts when it is an absolute path. */
  readonly workdir?: string | null;
}

/** Which rule a command hits, why it is there, and what hit it, as a part of a sentence; null = none. */
export type DenyList = (question: DenyQuestion) => string | null;

/** Where a command runs, null = not known, and the places it writes to by redirection. */
interface Surroundings {
  readonly directory: string | null;
  readonly targets: readonly string[];
}

/** Scripts within scripts that are read. */
const scriptDepthMax = 5;
/** Scripts that are read of one text; what more there are is let through. */
const scriptsMax = 1000;

/** Makes rules ready to be asked. Throws `SyntaxError` for a regular expression that is none. */
export function createDenyList(rules: readonly DenyRule[]): DenyList {
  const texts = rules.flatMap((rule) => (rule.kind === 'text' ? [{ ...rule, at: new RegExp(rule.pattern) }] : []));
  const judge = new Judge(rules);
  return ({ command, argv, workdir = null }) => {
    const text = command ?? argv?.join(' ') ?? '';
    const found = texts.find(({ at }) => at.test(text));
    if (found !== undefined) return describe(found, text);
    const words = argv?.map((word) => ({ text: word, expands: false })) ?? [];
    const nodes = command === null ? [{ kind: 'simple', words, redirections: [], end: '' } as const] : parseShell(text);
    return judge.all(nodes, workdir?.startsWith('/') === true ? workdir : null);
  };
}

/** The rules for commands and functions, by what is asked of them. */
class Judge {
  /** For each program that a rule names. */
  readonly #byProgram = new Map<string, readonly CompiledRule[]>();
  readonly #byPattern: readonly CompiledRule[];
  /** Rules for any command: all of them, and those that ask for no redirection. */
  readonly #forAny: readonly CompiledRule[];
  readonly #forAnyUnwritten: readonly CompiledRule[];
  readonly #forkBomb: DenyRule | undefined;
  #scriptsLeft = 0;

  constructor(rules: readonly DenyRule[]) {
    const compiled = rules.flatMap((rule) => (rule.kind === 'command' ? [new CompiledRule(rule)] : []));
    for (const name of new Set(compiled.flatMap(({ programs }) => programs ?? []))) {
      const rules = compiled.filter((rule) => rule.programs?.includes(name) === true || rule.matches(name));
      this.#byProgram.set(name, rules);
    }
    this.#byPattern = compiled.filter(({ hasPatterns }) => hasPatterns);
    this.#forAny = compiled.filter(({ programs }) => programs === null);
    this.#forAnyUnwritten = this.#forAny.filter(({ asksForTarget }) => !asksForTarget);
    this.#forkBomb = rules.find(({ kind }) => kind === 'fork-bomb');
  }

  /** The hit of a whole text whose first command runs in `start` (null = not known where). */
  all(nodes: readonly ShellNode[], start: string | null): string | null {
    this.#scriptsLeft = scriptsMax;
    return this.#list(nodes, start, 0);
  }

  #list(nodes: readonly ShellNode[], start: string | null, depth: number): string | null {
    let directory = start;
    let piped: Redirection | null = null;
    for (const node of nodes) {
      if (node.kind !== 'simple') {
        const hit = this.#group(node, directory, depth);
        if (hit !== null) return hit;
        continue;
      }
      const command: SimpleCommand = piped === null ? node : { ...node, redirections: [...node.redirections, piped] };
      const hit = this.#simple(command, directory, depth);
      if (hit !== null) return hit;
      directory = afterwards(node, directory);
      piped = outputOf(node);
    }
    return null;
  }

  #group(node: Exclude<ShellNode, SimpleCommand>, directory: string | null, depth: number): string | null {
    if (this.#forkBomb !== undefined && node.kind === 'function' && isForkBomb(node.name, node.body)) {
      return describe(this.#forkBomb, `${node.name}()`);
    }
    return this.#list(node.body, directory, depth);
  }

  #simple(command: SimpleCommand, directory: string | null, depth: number): string | null {
    const targets = targetsOf(command.redirections, directory);
    const here = { directory, targets };
    const found = ruleIn(targets.length === 0 ? this.#forAnyUnwritten : this.#forAny, command.words, here);
    if (found !== undefined) return describe(found, [joined(command.words), ...targets].join(' > ').trim());
    for (const running of runningOf(command)) {
      if (running.kind === 'script') {
        if (depth >= scriptDepthMax || this.#scriptsLeft-- <= 0) continue;
        const hit = this.#list(parseShell(running.text), directory, depth + 1);
        if (hit !== null) return hit;
        continue;
      }
      const rules = this.#byProgram.get(running.name) ?? this.#byPattern.filter((one) => one.matches(running.name));
      const rule = ruleIn(rules, running.words, here);
      if (rule !== undefined) return describe(rule, joined(running.words));
    }
    return null;
  }
}

/** The first rule that fits. */
function ruleIn(
  rules: readonly CompiledRule[],
  words: readonly Word[],
  { directory, targets }: Surroundings,
): CompiledRule | undefined {
  // Most commands are no rule's business: nothing is made for them.
  if (rules.length === 0) return undefined;
  const invocation = new Invocation(words, directory);
  return rules.find((rule) => rule.fits(invocation, targets));
}

/** Where the commands after this one run. */
function afterwards({ words }: SimpleCommand, directory: string | null): string | null {
  const name = words[0]?.text;
  if (name === 'popd') return null;
  if (name !== 'cd' && name !== 'pushd') return directory;
  return directoryAfter(
    words.slice(1).find(({ text }) => !/^-[A-Za-z-]/.test(text)),
    directory,
  );
}

/** What a command prints into the next one, when it prints its own arguments. */
function outputOf({ words, end }: SimpleCommand): Redirection | null {
  if (end !== '|' || !/^(echo|printf)$/.test(words[0]?.text ?? '')) return null;
  return { operator: '<<<', target: { text: joined(words.slice(1)), expands: true } };
}

/** Calls itself at least twice, and not one after the other. */
function isForkBomb(name: string, body: readonly ShellNode[]): boolean {
  const calls = callsOf(name, body);
  return calls.length > 1 && calls.some(({ end }) => /^(&|\||\|&)$/.test(end));
}

function callsOf(name: string, nodes: readonly ShellNode[]): readonly SimpleCommand[] {
  return nodes.flatMap((node) => {
    if (node.kind !== 'simple') return callsOf(name, node.body);
    return node.words[0]?.text === name ? [node] : [];
  });
}
