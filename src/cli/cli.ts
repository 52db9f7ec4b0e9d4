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
import { explainFailure } from './failure.ts';
import type { LocalFiles } from './files.ts';
import { commandHelp, firstSteps, overview } from './help.ts';
import type { OptionTable, Values } from './option.ts';
import { allTables, placeOptions, type ReachValues, reachOptions } from './options.ts';
import { parseLine, usage } from './parse.ts';
import { type ApiSources, type FoundApi, findBaseUrl, findToken, type TokenSources } from './reach.ts';
import type { Roles } from './roles.ts';

/** What is known of the certificate of an HTTPS address. */
export interface PinOptions {
  /** Its SHA-256 as the person gave it, not checked yet; null: not given. */
  readonly fingerprint: string | null;
  /** Where a dispatcher that runs here keeps its own. */
  readonly dataDir: string;
}

export interface CliEnvironment extends Pick<TokenSources, 'readPrivate' | 'localToken'>, Pick<ApiSources, 'answers'> {
  readonly terminal: Terminal;
  readonly files: LocalFiles;
  readonly version: string;
  readonly roles: Roles;
  /** Throws for malformed text. */
  parseToml(text: string): unknown;
  readonly parseYaml: ((text: string) => unknown) | null;
  /** URL of the API of the dispatcher that runs with this data directory; null when there is none. */
  announcedApi(dataDir: string): string | null;
  /** Dispatchers found by mDNS on these interfaces (none = all that are fit), within a second. */
  findApis(values: Pick<ReachValues, 'discovery' | 'interfaces'>): Promise<readonly FoundApi[]>;
  /** The `fetch` for one dispatcher, which believes its certificate; missing: the runtime's own. Throws `OctasklyError`. */
  fetchFor?(baseUrl: string, options: PinOptions): Fetch | Promise<Fetch>;
}

const exitUsage = 2;
/** Least time between two notices of a lost dispatcher. */
const lostNoticeMs = 5000;

/** Runs the command line `argv` (without program and script) and resolves with the exit status. Never rejects. */
export async function runCli(argv: readonly string[], environment: CliEnvironment): Promise<number> {
  const { terminal } = environment;
  let called: Command | null = null;
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
        called = call.command;
        return await runCommand(call.command, call.line, environment);
    }
  } catch (error) {
    return await report(error, terminal, called);
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
  const shown = name.length < secretLengthMin ? `command "${name}"` : 'such command';
  throw usage(`There is no ${shown}. The nearest is "${nearest(name, names)}"; 'octaskly --help' lists all.`);
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
  checkWords(
    command,
    words,
    Object.entries(command.options).some(([key, { secret }]) => secret && given.has(key)),
  );
  if (command.kind === 'role') return await (await command.load())(environment.roles, values, words);
  const { roles } = environment;
  const direct = (await command.direct?.({ roles, terminal }, values, words)) ?? null;
  return direct ?? (await runClientCommand(command, values, words, environment));
}

/** Shorter words are too weak for a secret and are repeated in errors. */
const secretLengthMin = 16;

/** `isPrivate`: a secret is on the line, and a word too many may be the rest of it. */
function checkWords(command: Command, words: readonly string[], isPrivate: boolean): void {
  const line = `octaskly ${command.name}${command.usage === '' ? '' : ` ${command.usage}`}`;
  if (words.length < command.wordsMin) throw usage(`Something is missing: ${line}.`);
  const surplus = words[command.wordsMax];
  if (surplus === undefined) return;
  const isShown = !isPrivate && surplus.length < secretLengthMin;
  throw usage(`${isShown ? `"${surplus}"` : 'A word'} is too much: ${line}.`);
}

async function runClientCommand(
  command: Command & { readonly kind: 'client' },
  values: Values<OptionTable>,
  words: readonly string[],
  environment: CliEnvironment,
): Promise<number> {
  const { terminal, files, parseYaml, roles } = environment;
  const reach = reachOf(values);
  const { baseUrl, found } = await findBaseUrl(reach, {
    announced: () => environment.announcedApi(reach.dataDir),
    answers: (url) => environment.answers(url),
    find: () => environment.findApis(reach),
  });
  if (found !== null) await note(terminal, `using the dispatcher ${found.name} found at ${baseUrl}.`);
  const token = findToken(reach, baseUrl, {
    env: terminal.env,
    readPrivate: (path) => environment.readPrivate(path),
    localToken: (dataDir) => environment.localToken(dataDir),
  });
  const pin: PinOptions = { fingerprint: reach.tlsFingerprint ?? null, dataDir: reach.dataDir };
  const fetch = await environment.fetchFor?.(baseUrl, pin);
  const connect: CommandContext['connect'] = (options) =>
    createClient({ baseUrl, token: token?.text ?? null, ...(fetch === undefined ? {} : { fetch }), ...options });
  const client = connect({ onLost: lossTeller(terminal) });
  const action = await command.load();
  const verifyRecord: CommandContext['verifyRecord'] = (file) => roles.verifyRecord(file);
  const context: CommandContext = { client, connect, terminal, files, parseYaml, verifyRecord };
  try {
    return await action(context, values, words);
  } catch (error) {
    if (!token?.own || !(error instanceof OctasklyError) || error.code !== 'unauthorized') throw error;
    const made = `It was made from the secret in ${reach.dataDir}, which is not this dispatcher's`;
    throw new OctasklyError('unauthorized', `${error.message} ${made}: name its --data-dir if it runs here.`);
  }
}

/** Several streams lose the same dispatcher; a person needs to hear it once. */
function lossTeller(terminal: Terminal): (reason: string) => void {
  let toldAt = Number.NEGATIVE_INFINITY;
  return (reason) => {
    if (terminal.now() - toldAt < lostNoticeMs) return;
    toldAt = terminal.now();
    // A lost terminal must not turn into an unhandled rejection; the command itself will notice.
    note(terminal, `${reason.replace(/\.$/, '')}; trying again.`).catch(() => {});
  };
}

async function readConfig(
  dataDir: string,
  named: string | undefined,
  { terminal, parseToml, readPrivate }: CliEnvironment,
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
    throw usage(`${path} is not valid TOML: ${withoutQuotes(reasonOf(error))}.`);
  }
  // As any other file that holds a secret.
  const secrets = allTables.flatMap((table) => Object.values(table)).filter((option) => option.secret);
  const names = secrets.flatMap(({ flag, aliases }) => [flag, ...aliases]);
  const keys = Object.keys(entries ?? {}).map((key) => key.replaceAll('_', '-'));
  if (keys.some((key) => names.includes(key))) readPrivate(path);
  const file = { path, entries: entries as Record<string, unknown> };
  checkFileKeys(file, allTables);
  return file;
}

/** A parser quotes what it did not understand, and that may be a secret somebody forgot to put into quotes. */
function withoutQuotes(reason: string): string {
  return reason.replace(/:?\s*".*"/s, '');
}

/** One or two sentences on standard error, and the exit status. */
async function report(error: unknown, terminal: Terminal, command: Command | null): Promise<number> {
  if (error instanceof BrokenPipe) return 0;
  try {
    await note(terminal, explainFailure(error, command));
  } catch {
    // Nobody reads the error either.
  }
  if (!(error instanceof OctasklyError)) return command?.failureStatus ?? 1;
  return error.code === 'usage' ? exitUsage : (command?.failureStatus ?? error.facts.exit);
}
