/**
 * Terminfo's parameterised strings, interpreted: `\E[%i%p1%d;%p2%dH` and two numbers become a cursor address.
 *
 * blessed compiles these with `new Function`, which the compiled file forbids; this takes its place. terminfo(5),
 * "Parameterized Strings". A missing parameter prints nothing, padding (`$<5>`) is left out: no terminal needs it now.
 * A malformed string gives what could be understood of it: the strings are our own, embedded ones.
 */

type Value = number | string | undefined;

const padding = /\$<\d+(?:\.\d+)?[*/]{0,2}>/y;
const conversion = /%(?::?([-+# ]+))?(\d+)?(?:\.(\d+))?([doxXsc])/y;
const constant = /%\{(\d+)\}/y;

const numberOf = (value: Value): number => (typeof value === 'number' ? value : Number(value ?? 0) || 0);

const binary: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => (b === 0 ? 0 : Math.trunc(a / b)),
  m: (a, b) => (b === 0 ? 0 : a % b),
  '&': (a, b) => a & b,
  '|': (a, b) => a | b,
  '^': (a, b) => a ^ b,
  '=': (a, b) => Number(a === b),
  '>': (a, b) => Number(a > b),
  '<': (a, b) => Number(a < b),
  A: (a, b) => Number(a !== 0 && b !== 0),
  O: (a, b) => Number(a !== 0 || b !== 0),
};

class Machine {
  private readonly text: string;
  private readonly params: Value[];
  private readonly stack: Value[] = [];
  private readonly variables = new Map<string, Value>();
  private at = 0;
  private out = '';

  constructor(text: string, params: readonly Value[]) {
    this.text = text;
    this.params = [...params];
  }

  run(): string {
    while (this.at < this.text.length) {
      if (this.match(padding) !== null) continue;
      const print = this.match(conversion);
      if (print !== null) {
        this.print(print);
        continue;
      }
      const number = this.match(constant);
      if (number !== null) this.stack.push(Number(number[1]));
      else if (this.text[this.at] === '%') this.operate(this.next(2));
      else this.out += this.next(1);
    }
    return this.out;
  }

  private match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found !== null) this.at += found[0].length;
    return found;
  }

  /** Moves on by `count` and gives the last character passed. */
  private next(count: number): string {
    this.at += count;
    return this.text[this.at - 1] ?? '';
  }

  private print([, flags = '', width = '', digits = '', type = '']: RegExpExecArray): void {
    const value = this.stack.pop();
    if (type === 'c') {
      // NUL would end the string in C: terminfo writes it as 0x80.
      this.out += String.fromCharCode(numberOf(value) || 0x80);
      return;
    }
    if (value === undefined) return;
    let text = String(value);
    if (type !== 's') {
      const radix = { d: 10, o: 8, x: 16, X: 16 }[type];
      text = Math.trunc(numberOf(value)).toString(radix).padStart(Number(digits), '0');
      if (type === 'X') text = text.toUpperCase();
    }
    const cells = Number(width);
    if (flags.includes('-')) this.out += text.padEnd(cells);
    else this.out += text.padStart(cells, width.startsWith('0') ? '0' : ' ');
  }

  private operate(code: string): void {
    const { stack, params } = this;
    if (code === '%') this.out += '%';
    else if (code === 'p') stack.push(params[Number(this.next(1)) - 1]);
    else if (code === 'P') this.variables.set(this.next(1), stack.pop());
    else if (code === 'g') stack.push(this.variables.get(this.next(1)) ?? 0);
    else if (code === "'") stack.push(this.next(2).length === 0 ? 0 : this.text.charCodeAt(this.at - 2));
    else if (code === 'l') stack.push(String(stack.pop() ?? '').length);
    else if (code === 'i') for (const i of [0, 1]) params[i] = numberOf(params[i]) + 1;
    else if (code === '!') stack.push(Number(numberOf(stack.pop()) === 0));
    else if (code === '~') stack.push(~numberOf(stack.pop()));
    else if (code === 't') {
      if (numberOf(stack.pop()) === 0) this.skip(true);
    } else if (code === 'e') this.skip(false);
    else if (code in binary) {
      const b = numberOf(stack.pop());
      stack.push(binary[code]?.(numberOf(stack.pop()), b));
    }
  }

  /** Behind the matching `%;`, or behind the `%e` of the same level where that is wanted. */
  private skip(stopAtElse: boolean): void {
    for (let depth = 0; this.at < this.text.length; ) {
      if (this.next(1) !== '%') continue;
      const code = this.next(1);
      if (code === '?') depth += 1;
      else if (code === "'") this.at += 2;
      else if (code === 'e' && depth === 0 && stopAtElse) return;
      else if (code === ';') {
        if (depth === 0) return;
        depth -= 1;
      }
    }
  }
}

/** The string that `text` gives with these parameters. */
export function tparm(text: string, params: readonly Value[]): string {
  return new Machine(text, params).run();
}
