/**
 * What a command is: its words, options, help and exit statuses as data, and a function loaded when it is called.
 * `commands.ts` lists them all; `cli.ts` calls them.
 */

import type { Sources } from './config.ts';
import type { CommandContext, Terminal } from './context.ts';
import type { Library } from './library.ts';
import type { Completes, OptionTable, Values } from './option.ts';
import type { ForeignOptions, OptionsEnd } from './parse.ts';
import type { Roles } from './roles.ts';
import type { ReachValues } from './shared-options.ts';

export const commandGroups = ['Roles', 'Work', 'Looking', 'Changing', 'Trust', 'Care', 'Help'] as const;

/** Returns the exit status. Throws `OctasklyError` for what goes wrong. */
export type ClientAction<S extends OptionTable> = (
  context: CommandContext,
  values: Values<S>,
  words: readonly string[],
) => Promise<number>;

/** What a command about the command line itself may touch. */
export interface OwnContext {
  readonly terminal: Terminal;
  /** All commands, in the order of the overview. */
  readonly commands: readonly Command[];
  openLibrary(): Promise<Library>;
}

/** Needs no dispatcher. Returns the exit status. Throws `OctasklyError`. */
export type OwnAction<S extends OptionTable> = (
  context: OwnContext,
  values: Values<S>,
  words: readonly string[],
) => Promise<number>;

/** `sources`: where the values come from, for what keeps them as they were given. */
export type RoleAction<S extends OptionTable> = (
  roles: Roles,
  values: Values<S>,
  words: readonly string[],
  sources: Sources,
) => Promise<number>;

interface CommandFacts {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly group: (typeof commandGroups)[number];
  /** One line of the overview, no full stop. */
  readonly summary: string;
  /** What stands after the command's name in its usage line. */
  readonly usage: string;
  /** Paragraphs of the help. */
  readonly details?: readonly string[];
  /** Command lines without the leading `octaskly`; at least one. */
  readonly examples: readonly [string, ...string[]];
  readonly exits: readonly (readonly [status: string, meaning: string])[];
  /** Least role a token needs for it; default: client. */
  readonly role?: 'dispatcher' | 'admin';
  readonly wordsMin: number;
  readonly wordsMax: number;
  /** What its words may be, for completion; the last holds for all that follow. Default: nothing is known of them. */
  readonly completes?: readonly (Completes | null)[];
  /** The options of the form of the command that this line begins, where forms differ in them. */
  readonly optionsFor?: (line: readonly string[]) => OptionTable;
  /** Default `anywhere`. */
  readonly optionsEnd?: OptionsEnd;
  /** Options of the program it is like that it does not take, with what to do instead. */
  readonly foreign?: ForeignOptions;
  /** Exit status for its own failures; default: the error's. */
  readonly failureStatus?: number;
}

/** Does the command without a dispatcher, when its values ask for that; null = they do not. */
export type DirectAction<S extends OptionTable> = (
  around: { readonly roles: Roles; readonly terminal: Terminal },
  values: Values<S>,
  words: readonly string[],
) => Promise<number | null>;

/** A command with its types forgotten: its options and its action belong to each other. */
export type Command = CommandFacts & { readonly options: OptionTable } & (
    | { readonly kind: 'role'; load(): Promise<RoleAction<OptionTable>> }
    | {
        readonly kind: 'client';
        load(): Promise<ClientAction<OptionTable>>;
        readonly direct?: DirectAction<OptionTable>;
      }
    | { readonly kind: 'own'; load(): Promise<OwnAction<OptionTable>> }
  );

/** A command that talks to a dispatcher. */
export function clientCommand<S extends OptionTable>(
  facts: CommandFacts & {
    readonly options: S & OptionTable;
    load(): Promise<ClientAction<S>>;
    readonly direct?: DirectAction<S>;
  },
): Command {
  const { load, direct, ...rest } = facts;
  return {
    ...rest,
    kind: 'client',
    load: load as unknown as () => Promise<ClientAction<OptionTable>>,
    ...(direct === undefined ? {} : { direct: direct as unknown as DirectAction<OptionTable> }),
  };
}

/** A command about the command line itself. */
export function ownCommand<S extends OptionTable>(
  facts: CommandFacts & { readonly options: S; load(): Promise<OwnAction<S>> },
): Command {
  return { ...facts, kind: 'own', load: facts.load as unknown as () => Promise<OwnAction<OptionTable>> };
}

/** A command that is a part of the product itself, given by the composition root. */
export function roleCommand<S extends OptionTable>(
  facts: CommandFacts & { readonly options: S; readonly action: RoleAction<S> },
): Command {
  return { ...facts, kind: 'role', load: async () => facts.action as unknown as RoleAction<OptionTable> };
}

/** The options by which a client command reaches its dispatcher; every client command has them. */
export function reachOf(values: Values<OptionTable>): ReachValues {
  return values as unknown as ReachValues;
}
