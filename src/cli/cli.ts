/**
 * The command line from its words to an exit status: finds the command, settles its options, makes the client, and
 * turns whatever goes wrong into one line. All it touches comes through `CliEnvironment`.
 */

import { OctasklyError, reasonOf } from '../base/errors.ts';
import { nearest } from '../base/nearest.ts';
import { createClient } from '../client/client.ts';
import type { Fetch } from '../client/http.ts';
import { type Command, reachOf } from './command.ts';
import { commands } from './commands.ts';
import { type ConfigFile, checkFileKeys, resolveOptions, type Sources, warningsOf } from './config.ts';
import { BrokenPipe, type CommandContext, note, type Terminal } from './context.ts';
import type { LocalFiles } from './files.ts';
import { commandHelp, firstSteps, overview } from './help.ts';
import type { OptionTable, Values } from './option.ts';
import { allTables, placeOptions, type ReachValues, reachOptions } from './options.ts';
import { parseLine, usage } from './parse.ts';
import type { Roles } from './roles.ts';

export interface CliEnvironment {
  readonly terminal: Terminal;
  readonly files: LocalFiles;
  readonly version: string;
  readonly roles: Roles;
  /** Throws for malformed text. */
  parseToml(text: string): unknown;
  readonly parseYaml: ((text: string) => unknown) | null;
  /** A token signed with the secret in the data directory; null when that cannot be read. */
  localToken(dataDir: string): string | null;
  /** Replaces the runtime's own `fetch`. */
  readonly fetch?: Fetch;
}

const exitUsage = 2;
/** Least time between two notices of a lost dispatcher. */
const lostNoticeMs = 5000;

/** Runs the command line `argv` (without program and script) and resolves with the exit status. Never rejects. */
export async function runCli(argv: readonly string[], environment: CliEnvironment): Promise<number> {
  const { terminal } = environment;
  let failureStatus: number | undefined;
  try {
    const call = findCommand(argv);
    switch (call.kind) {
      case 'text':
        await terminal.stdout.write(call.text ?? `octaskly ${environment.version}\n`);
        return 0;
      case 'help':
        await terminal.stdout.write(commandHelp(call.command));
        return 0;
      case 'command':
        failureStatus = call.command.failureStatus;
        return await runCommand(call.command, call.line, environment);
    }
  } catch (error) {
    return await report(error, terminal, failureStatus);
  }
}

type Call =
  /** Null: the version. */
  | { readonly kind: 'text'; readonly text: string | null }
  | { readonly kind: 'help'; readonly command: Command }
  | { readonly kind: 'command'; readonly command: Command; readonly line: readonly string[] };

/** Options of how to reach the dispatcher may stand before the command too. */
function findCommand(argv: readonly string[]): Call {
  if (argv.length === 0) return { kind: 'text', text: firstSteps };
  if (argv[0] === '--version' || argv[0] === '-V') return { kind: 'text', text: null };
  const before = beforeCommand(argv);
  const [name, ...line] = before.words;
  if (name === undefined && before.help) return { kind: 'text', text: overview(commands) };
  if (name === undefined) throw usage("A command is missing. 'octaskly --help' lists them.");
  if (name === 'help') {
    const [about] = line;
    return about === undefined ? { kind: 'text', text: overview(commands) } : { kind: 'help', command: named(about) };
  }
  const command = named(name);
  if (before.help) return { kind: 'help', command };
  return { kind: 'command', command, line: [...argv.slice(0, argv.length - line.length - 1), ...line] };
}

function beforeCommand(argv: readonly string[]): ReturnType<typeof parseLine> {
  try {
    return parseLine(argv, reachOptions, 'first word');
  } catch (error) {
    if (!(error instanceof OctasklyError) || !error.message.startsWith('There is no option')) throw error;
    throw usage(`${error.message} Options of a command stand behind its name.`);
  }
}

function named(name: string): Command {
  const found = commands.find((command) => command.name === name || command.aliases?.includes(name));
  if (found !== undefined) return found;
  const names = ['help', ...commands.flatMap((command) => [command.name, ...(command.aliases ?? [])])];
  throw usage(`There is no command "${name}". The nearest is "${nearest(name, names)}"; 'octaskly --help' lists all.`);
}

async function runCommand(command: Command, line: readonly string[], environment: CliEnvironment): Promise<number> {
  const { terminal } = environment;
  const { given, words, help } = parseLine(line, command.options, command.optionsEnd ?? 'anywhere');
  if (help) {
    await terminal.stdout.write(commandHelp(command));
    return 0;
  }
  const { env, homeDir } = terminal;
  const places = resolveOptions(placeOptions, { given, env, file: null, homeDir });
  const file = await readConfig(places.dataDir, places.config, environment);
  const sources: Sources = { given, env, file, homeDir };
  for (const warning of warningsOf(command.options, sources, allTables)) await note(terminal, warning);
  const values = resolveOptions(command.options, sources);
  checkWords(command, words);
  if (command.kind === 'role') return await (await command.load())(environment.roles, values, words);
  return await runClientCommand(command, values, words, environment);
}

function checkWords(command: Command, words: readonly string[]): void {
  const line = `octaskly ${command.name}${command.usage === '' ? '' : ` ${command.usage}`}`;
  if (words.length < command.wordsMin) throw usage(`Something is missing: ${line}.`);
  const surplus = words[command.wordsMax];
  if (surplus !== undefined) throw usage(`"${surplus}" is too much: ${line}.`);
}

async function runClientCommand(
  command: Command & { readonly kind: 'client' },
  values: Values<OptionTable>,
  words: readonly string[],
  environment: CliEnvironment,
): Promise<number> {
  const { terminal, files, parseYaml } = environment;
  const reach = reachOf(values);
  const action = await command.load();
  const baseUrl = /^[a-z]+:\/\//i.test(reach.api) ? reach.api : `http://${reach.api}`;
  let toldAt = Number.NEGATIVE_INFINITY;
  const tellLost = (reason: string): void => {
    // Several streams lose the same dispatcher; a person needs to hear it once.
    if (terminal.now() - toldAt < lostNoticeMs) return;
    toldAt = terminal.now();
    // A lost terminal must not turn into an unhandled rejection; the command itself will notice.
    note(terminal, `${reason.replace(/\.$/, '')}; trying again.`).catch(() => {});
  };
  const token = await findToken(reach, baseUrl, environment);
  const ownToken = token !== null && reach.token === undefined && reach.tokenFile === undefined;
  const connect: CommandContext['connect'] = (options) =>
    createClient({
      baseUrl,
      token,
      ...(environment.fetch === undefined ? {} : { fetch: environment.fetch }),
      ...options,
    });
  const context: CommandContext = { client: connect({ onLost: tellLost }), connect, terminal, files, parseYaml };
  try {
    return await action(context, values, words);
  } catch (error) {
    if (!ownToken || !(error instanceof OctasklyError) || error.code !== 'unauthorized') throw error;
    const made = `It was made from the secret in ${reach.dataDir}, which is not this dispatcher's`;
    throw new OctasklyError('unauthorized', `${error.message} ${made}: name its --data-dir if it runs here.`);
  }
}

/**
 * A token made here opens all of this cluster, so it goes to this machine only; to another one when the person gave the
 * secret for this call themselves. Everywhere else a token must be named.
 */
function mayUseLocalToken(baseUrl: string, env: Terminal['env']): boolean {
  if (env.OCTASKLY_SECRET) return true;
  const host = URL.canParse(baseUrl) ? new URL(baseUrl).hostname : '';
  return host === 'localhost' || host === '[::1]' || /^127(\.\d+){3}$/.test(host);
}

async function findToken(reach: ReachValues, baseUrl: string, environment: CliEnvironment): Promise<string | null> {
  if (reach.token !== undefined) return reach.token;
  if (reach.tokenFile !== undefined) {
    const token = (await environment.terminal.readText(reach.tokenFile))?.trim();
    if (token) return token;
    throw usage(`There is no token in ${reach.tokenFile}.`);
  }
  return mayUseLocalToken(baseUrl, environment.terminal.env) ? environment.localToken(reach.dataDir) : null;
}

async function readConfig(
  dataDir: string,
  named: string | undefined,
  { terminal, parseToml }: CliEnvironment,
): Promise<ConfigFile | null> {
  const path = named ?? `${dataDir}/config.toml`;
  const text = await terminal.readText(path);
  if (text === null) {
    if (named === undefined) return null;
    throw usage(`There is no config file ${path}.`);
  }
  let entries: unknown;
  try {
    entries = parseToml(text);
  } catch (error) {
    throw usage(`${path} is not valid TOML: ${reasonOf(error)}.`);
  }
  const file = { path, entries: entries as Record<string, unknown> };
  checkFileKeys(file, allTables);
  return file;
}

/** One or two sentences on standard error, and the exit status. */
async function report(error: unknown, terminal: Terminal, failureStatus: number | undefined): Promise<number> {
  if (error instanceof BrokenPipe) return 0;
  try {
    await note(terminal, explainError(error));
  } catch {
    // Nobody reads the error either.
  }
  if (!(error instanceof OctasklyError)) return failureStatus ?? 1;
  return error.code === 'usage' ? exitUsage : (failureStatus ?? error.facts.exit);
}

function explainError(error: unknown): string {
  if (!(error instanceof OctasklyError)) return `Octaskly made a mistake: ${reasonOf(error)}`;
  const unsaid = error.fields.filter(({ message }) => !error.message.includes(message));
  const fields = unsaid.slice(0, 5).map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  const text = fields.length === 0 ? error.message : `${error.message} (${fields.join('; ')})`;
  if (error.code === 'unreachable') {
    return `${text} Start one with 'octaskly dispatcher', or say where it is with --api URL or OCTASKLY_API.`;
  }
  if (error.code === 'unauthorized') return `${text} Give a token with --token-file or OCTASKLY_TOKEN.`;
  return text;
}
