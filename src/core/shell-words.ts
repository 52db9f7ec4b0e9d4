/**
 * A shell text as the simple commands in it: what a guard needs to know of the grammar of POSIX sh (XCU chapter 2), with
 * the additions of bash that people use without noticing (`$'..'`, `&>`, `<<<`, `<(..)`, `function`).
 *
 * Quotes are taken away, nothing is expanded: a word keeps the text of its `$NAME` and says that it has such. Commands
 * inside `$(..)`, backquotes and process substitutions are found, the bodies of here-documents are kept as data. It
 * judges nothing, runs nothing, and reports no mistakes: of a text that no shell would take the best is made.
 *
 * Invariants: total; never throws; time is linear in the text for a given nesting, and nesting is bounded. Commands
 * nested more deeply are still found, but as if they were not nested; in quotes they are not found.
 */

/** One word after quotes are removed. */
export interface Word {
  readonly text: string;
  /** A `$`, a backquote or a leading `~` in it is live: the program gets something else than `text`. */
  readonly expands: boolean;
}

export interface Redirection {
  /** Without the number of the descriptor: `>`, `>>`, `>|`, `>&`, `&>`, `<`, `<<`, `<<<` … */
  readonly operator: string;
  /** A file's name, a descriptor's number; of a here-document (`<<`) the whole body. */
  readonly target: Word;
}

export interface SimpleCommand {
  readonly kind: 'simple';
  /** The program and its arguments, without assignments before it; empty when there are redirections alone. */
  readonly words: readonly Word[];
  readonly redirections: readonly Redirection[];
  /** The operator it ends with: `;`, `&`, `|`, `&&`, a line end …; '' at the end of the text. */
  readonly end: string;
}

/** A subshell changes nothing outside itself; a function's body runs whenever its name is called. */
export type ShellNode =
  | SimpleCommand
  | { readonly kind: 'subshell'; readonly body: readonly ShellNode[] }
  | { readonly kind: 'function'; readonly name: string; readonly body: readonly ShellNode[] };

/** Groups within groups that are taken as such. */
const nestingMax = 40;

const ignoredWords = new Set(['if', 'then', 'elif', 'else', 'fi', 'while', 'until', 'do', 'done', '!', 'coproc']);
const assignment = /^[A-Za-z_]\w*(\[[^\]]*\])?\+?=/;
const plainRun = /[^ \t\r\n\\'"$`|&;()<>]+/y;
const emptyParentheses = /\([ \t]{0,16}\)/y;
const doubleRun = /[^\\"$`]+/y;
const operatorStart = '\n;&|<>';
const redirectionOperator = /&>>?|<<-|<<<|<<|<&|<>|>>|>&|>\||<|>/y;
const controlOperator = /\n|;;&|;&|;;|;|&&|&|\|\||\|&|\|/y;
const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', e: '\x1b' };
const coded = /\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|([0-7]{1,3})|([\s\S]))/g;

/** The commands of a text, in its order; what a word substitutes comes before the command that has the word. */
export function parseShell(text: string): readonly ShellNode[] {
  return new ShellReader(text, 0).list('');
}

interface GrowingWord {
  text: string;
  expands: boolean;
}

interface Draft {
  words: Word[];
  redirections: Redirection[];
}

interface HereDocument {
  readonly delimiter: string;
  readonly isIndented: boolean;
  readonly body: GrowingWord;
}

class ShellReader {
  readonly #text: string;
  #at = 0;
  #depth: number;
  #hereDocuments: HereDocument[] = [];
  /** Where commands go that are found inside a word. */
  #nodes: ShellNode[] = [];
  #draft: Draft = { words: [], redirections: [] };
  /** Open `case … esac` of the present list: there `)` ends a pattern. */
  #cases = 0;

  constructor(text: string, depth: number) {
    this.#text = text;
    this.#depth = depth;
  }

  /** Reads up to and over `close`, or to the end. */
  list(close: '' | ')' | '}'): ShellNode[] {
    const outer = { nodes: this.#nodes, draft: this.#draft, cases: this.#cases };
    const nodes: ShellNode[] = [];
    this.#nodes = nodes;
    this.#draft = { words: [], redirections: [] };
    this.#cases = 0;
    this.#depth++;
    while (this.#at < this.#text.length && !this.#step(close));
    this.#flush('');
    this.#depth--;
    this.#nodes = outer.nodes;
    this.#draft = outer.draft;
    this.#cases = outer.cases;
    return nodes;
  }

  /** Takes one token in. True when it closes the list. */
  #step(close: '' | ')' | '}'): boolean {
    this.#skipBlanks();
    const start = this.#at;
    const char = this.#text[start];
    if (char === undefined) return false;
    if (char === ')') return this.#closeParenthesis(close);
    if (char === '(') this.#openParenthesis();
    else if (!operatorStart.includes(char) || !(this.#redirect() || this.#control())) {
      const word = this.#word();
      const isPlain = this.#text.slice(start, this.#at) === word.text;
      if (isPlain && word.text === '}' && close === '}' && this.#draft.words.length === 0) return true;
      this.#take(word, isPlain);
    }
    return false;
  }

  #take(word: Word, isPlain: boolean): void {
    const { words } = this.#draft;
    if (words.length === 0 && (assignment.test(word.text) || (isPlain && this.#reserved(word.text)))) return;
    const next = this.#text[this.#at];
    if (isPlain && (next === '<' || next === '>') && /^(\d+|\{\w+\})$/.test(word.text)) return;
    words.push(word);
  }

  #control(): boolean {
    const operator = this.#match(controlOperator);
    if (operator !== '') this.#flush(operator);
    if (operator === '\n') this.#readHereDocuments();
    return operator !== '';
  }

  /** True when a word at a command's beginning belongs to the grammar. */
  #reserved(text: string): boolean {
    if (text === '{') {
      this.#group('}', (body) => {
        for (const node of body) this.#nodes.push(node);
      });
    } else if (text === 'case') {
      this.#cases++;
    } else if (text === 'esac') {
      this.#cases = Math.max(0, this.#cases - 1);
    } else if (text === 'function') {
      this.#skipBlanks();
      const { text: name } = this.#word();
      this.#skipBlanks();
      this.#match(emptyParentheses);
      this.#define(name);
    } else {
      return text === '}' || ignoredWords.has(text);
    }
    return true;
  }

  /** Reads a nested list, unless there are too many around it already. */
  #group(close: ')' | '}', take: (body: readonly ShellNode[]) => void): void {
    if (this.#depth < nestingMax) take(this.list(close));
  }

  #subshell(): void {
    this.#group(')', (body) => this.#nodes.push({ kind: 'subshell', body }));
  }

  #openParenthesis(): void {
    const [name, ...more] = this.#draft.words;
    const isCall = name !== undefined && more.length === 0 && this.#draft.redirections.length === 0;
    if (isCall && this.#match(emptyParentheses) !== '') {
      this.#draft.words = [];
      this.#define(name.text);
      return;
    }
    this.#at++;
    this.#flush('(');
    if (this.#skipArithmetic()) return;
    this.#subshell();
  }

  #closeParenthesis(close: '' | ')' | '}'): boolean {
    this.#at++;
    this.#flush(')');
    return this.#cases === 0 && close === ')';
  }

  #define(name: string): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++;
    const open = this.#text[this.#at];
    if (open !== '{' && open !== '(') return;
    this.#at++;
    this.#group(open === '{' ? '}' : ')', (body) => this.#nodes.push({ kind: 'function', name, body }));
  }

  #redirect(): boolean {
    const operator = this.#match(redirectionOperator);
    if (operator === '') return false;
    if ((operator === '<' || operator === '>') && this.#text[this.#at] === '(') {
      this.#at++;
      this.#subshell();
      this.#draft.words.push({ text: `${operator}()`, expands: true });
      return true;
    }
    this.#skipBlanks();
    const target = this.#word();
    this.#draft.redirections.push({ operator: operator === '<<-' ? '<<' : operator, target });
    if (operator !== '<<' && operator !== '<<-') return true;
    this.#hereDocuments.push({ delimiter: target.text, isIndented: operator === '<<-', body: target });
    target.text = '';
    return true;
  }

  #readHereDocuments(): void {
    for (const { delimiter, isIndented, body } of this.#hereDocuments.splice(0)) {
      const start = this.#at;
      for (;;) {
        const lineStart = this.#at;
        const line = this.#upTo('\n').replace(/\r$/, '');
        const isLast = (isIndented ? line.replace(/^\t+/, '') : line) === delimiter;
        if (!isLast && this.#at < this.#text.length) continue;
        body.text = this.#text.slice(start, isLast ? lineStart : this.#at);
        break;
      }
    }
  }

  #flush(end: string): void {
    const { words, redirections } = this.#draft;
    if (words.length + redirections.length === 0) return;
    this.#nodes.push({ kind: 'simple', words, redirections, end });
    this.#draft = { words: [], redirections: [] };
  }

  /** Goes over blanks, joined lines and a comment. */
  #skipBlanks(): void {
    for (;;) {
      const char = this.#text[this.#at];
      if (char === ' ' || char === '\t' || char === '\r') this.#at++;
      else if (char === '\\' && this.#text[this.#at + 1] === '\n') this.#at += 2;
      else break;
    }
    if (this.#text[this.#at] !== '#') return;
    const lineEnd = this.#text.indexOf('\n', this.#at);
    this.#at = lineEnd < 0 ? this.#text.length : lineEnd;
  }

  /** What `pattern` (sticky) finds here, and goes over it; '' = nothing. */
  #match(pattern: RegExp): string {
    const start = this.#at;
    pattern.lastIndex = start;
    if (!pattern.test(this.#text)) return '';
    this.#at = pattern.lastIndex;
    return this.#text.slice(start, this.#at);
  }

  // ---------------------------------------------------------------------------------------------- inside a word

  #word(): GrowingWord {
    const word: GrowingWord = { text: '', expands: this.#text[this.#at] === '~' };
    for (;;) {
      word.text += this.#match(plainRun);
      const char = this.#text[this.#at];
      if (char === '\\') {
        const next = this.#text[this.#at + 1];
        if (next !== '\n') word.text += next ?? '\\';
        this.#at += 2;
      } else if (char === "'") {
        this.#at++;
        word.text += this.#upTo("'");
      } else if (char === '"') {
        this.#doubleQuoted(word);
      } else if (!this.#expansion(word, false)) {
        return word;
      }
    }
  }

  /** The text before the next `end`, going over both. */
  #upTo(end: string): string {
    const found = this.#text.indexOf(end, this.#at);
    const text = this.#text.slice(this.#at, found < 0 ? this.#text.length : found);
    this.#at += text.length + 1;
    return text;
  }

  #doubleQuoted(word: GrowingWord): void {
    this.#at++;
    for (;;) {
      word.text += this.#match(doubleRun);
      const char = this.#text[this.#at];
      if (char === '\\') {
        const next = this.#text[this.#at + 1] ?? '';
        if (next !== '\n') word.text += '$`"\\'.includes(next) ? next || '\\' : `\\${next}`;
        this.#at += 2;
      } else if (!this.#expansion(word, true)) {
        this.#at++;
        return;
      }
    }
  }

  /** Reads what a `$` or a backquote begins here; false when there is neither. */
  #expansion(word: GrowingWord, isQuoted: boolean): boolean {
    const char = this.#text[this.#at];
    if (char === '$') this.#dollar(word, isQuoted);
    else if (char === '`') this.#backquoted(word);
    return char === '$' || char === '`';
  }

  #dollar(word: GrowingWord, isQuoted: boolean): void {
    const start = this.#at++;
    const next = this.#text[this.#at];
    if (next === "'" && !isQuoted) {
      this.#coded(word);
      return;
    }
    // A text to be translated: `$"…"`.
    if (next === '"' && !isQuoted) return;
    word.expands = true;
    if (next === '(' && this.#depth < nestingMax) {
      this.#at++;
      if (!this.#skipArithmetic()) this.#subshell();
      word.text += '$()';
    } else if (next === '{' && this.#depth < nestingMax) {
      this.#depth++;
      this.#parameter(isQuoted);
      this.#depth--;
      word.text += this.#text.slice(start, this.#at);
    } else {
      word.text += '$';
    }
  }

  /** `$'…'`: with escapes as in C. */
  #coded(word: GrowingWord): void {
    const start = ++this.#at;
    while (this.#at < this.#text.length && this.#text[this.#at] !== "'") {
      this.#at += this.#text[this.#at] === '\\' ? 2 : 1;
    }
    const raw = this.#text.slice(start, this.#at++);
    word.text += raw.replaceAll(coded, (_all, hex?: string, unicode?: string, octal?: string, char?: string) => {
      if (char !== undefined) return escapes[char] ?? char;
      return String.fromCharCode(octal === undefined ? Number.parseInt(hex ?? unicode ?? '', 16) : parseInt(octal, 8));
    });
  }

  /** Goes over `{…}` after a `$`; commands in it are found. */
  #parameter(isQuoted: boolean): void {
    const scrap: GrowingWord = { text: '', expands: true };
    for (this.#at++; this.#at < this.#text.length; ) {
      const char = this.#text[this.#at];
      if (char === '"') {
        this.#doubleQuoted(scrap);
      } else if (char === "'" && !isQuoted) {
        this.#at++;
        this.#upTo("'");
      } else if (!this.#expansion(scrap, isQuoted)) {
        this.#at += char === '\\' ? 2 : 1;
        if (char === '}') return;
      }
    }
  }

  #backquoted(word: GrowingWord): void {
    const start = ++this.#at;
    while (this.#at < this.#text.length && this.#text[this.#at] !== '`') {
      this.#at += this.#text[this.#at] === '\\' ? 2 : 1;
    }
    const raw = this.#text.slice(start, this.#at++);
    word.expands = true;
    word.text += '$()';
    if (this.#depth >= nestingMax) return;
    const body = new ShellReader(raw.replaceAll(/\\([\\`$])/g, '$1'), this.#depth).list('');
    this.#nodes.push({ kind: 'subshell', body });
  }

  /** After `(`: goes over `(…))` when that follows; otherwise these are subshells, and nothing is read. */
  #skipArithmetic(): boolean {
    if (this.#text[this.#at] !== '(' || this.#depth >= nestingMax) return false;
    let open = 1;
    for (let at = this.#at; at < this.#text.length; at++) {
      const char = this.#text[at];
      if (char === '(') open++;
      else if (char === ')') open--;
      if (char !== ')' || open > 1) continue;
      if (this.#text[at + 1] !== ')') return false;
      this.#at = at + 2;
      return true;
    }
    return false;
  }
}
