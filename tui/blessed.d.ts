/** Of blessed 0.1.81, which brings no types: what is used here, and no more. */

declare module 'blessed/lib/tput.js' {
  type Capability = string | number | boolean | undefined;

  interface Tput {
    readonly terminal: string;
    /** Colours the terminal has. */
    readonly colors: number;
    readTerminfo(term?: string): object;
    parseTerminfo(data: Uint8Array, name: string): object;
    _compile(info: object, name: string, value: Capability): unknown;
  }

  const Tput: { readonly prototype: Tput };
  export = Tput;
}

declare module 'blessed/lib/unicode.js' {
  const unicode: {
    /** Cells of the first character of `text`. */
    charWidth(text: string): number;
  };
  export = unicode;
}

declare module 'blessed/lib/widgets/screen.js' {
  import type Tput from 'blessed/lib/tput.js';

  interface KeyPress {
    /** With its modifiers: `C-c`, `S-tab`. */
    readonly full: string;
    readonly sequence?: string;
  }

  interface Mouse {
    readonly action: string;
    readonly button?: string;
    readonly x: number;
    readonly y: number;
  }

  interface Program {
    readonly input: TerminalInput;
    /** The other screen is taken. */
    readonly isAlt: boolean;
    /** Sends bytes behind those that wait. */
    _write(bytes: string): void;
    enableMouse(): void;
    setMouse(modes: Readonly<Record<string, boolean>>, enable: boolean): void;
  }

  interface Screen {
    readonly program: Program;
    readonly tput: InstanceType<typeof Tput>;
    readonly cols: number;
    readonly rows: number;
    on(event: 'keypress', listener: (char: string | undefined, key: KeyPress) => void): void;
    on(event: 'mouse', listener: (mouse: Mouse) => void): void;
    on(event: 'resize', listener: () => void): void;
    /** Forgets what the terminal shows, and clears it. */
    realloc(): void;
    /** Leaves the screen that was taken, and takes it again. */
    leave(): void;
    enter(): void;
    /** Gives the terminal back as it was. */
    destroy(): void;
  }

  /** Where keys and reports of the mouse come from. */
  interface TerminalInput extends NodeJS.ReadableStream {
    readonly isRaw: boolean;
    setRawMode(isRaw: boolean): void;
  }

  interface ScreenOptions {
    readonly input: TerminalInput;
    readonly fullUnicode: boolean;
    readonly forceUnicode: boolean;
  }

  const Screen: new (options: ScreenOptions) => Screen;
  export = Screen;
}

/** Compiled terminfo entries, as paths of files that are part of the compiled file. */
declare module 'blessed/usr/*' {
  const path: string;
  export = path;
}
