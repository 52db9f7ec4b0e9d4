/**
 * The command line from its words to an exit status: finds the command, settles its options, makes the client, and
 * turns whatever goes wrong into one line. All it touches comes through `CliEnvironment`.
 */

import { OctasklyError, reasonOf } from '../base/errors.ts';
import { nearestIs } from '../base/nearest.ts';
import { sleep } from '../client/backoff.ts';
import type { Client } from '../client/client.ts';
import { type Command, reachOf } from './command.ts';
import { commands } from './commands.ts';
import { type ConfigFile, checkFileKeys, resolveOptions, type Sources, warningsOf } from './config.ts';
import { type Surroundings, wayTo } from './connecting.ts';
import { BrokenPipe, type CommandContext, columnsOf, note, type Terminal } from './context.ts';
import { explainFailure } from './failure.ts';
import type { LocalFiles } from './files.ts';
import { commandHelp, firstSteps, overview } from './help.ts';
import type { Library } from './library.ts';
import type { OptionTable, Values } from './option.ts';
import { allTables } from './options.ts';
import { type BooleanValues, parseLine, tooMuch, usage } from './parse.ts';
import { type ApiSources, baseUrlOf, type FoundApi, findBaseUrl } from './reach.ts';
import type { Roles } from './roles.ts';
import { placeOptions, type ReachValues, reachOptions } from './shared-options.ts';
import { proseMax } from './wrap.ts';

export interface CliEnvironment extends Surroundings, Pick<ApiSources, 'answers'> {
  readonly terminal: Terminal;
  readonly files: LocalFiles;
  readonly version: string;
  readonly roles: Roles;
  /** Loaded when it is read in. */
  openLibrary(): Promise<Library>;
  /** Throws for malformed text. */
  parseToml(text: string): unknown;
  readonly parseYaml: ((text: string) => unknown) | null;
  /** URL of the API of the dispatcher that runs with this data directory; null when there is none. */
  announcedApi(dataDir: string): string | null;
  /** Dispatchers found by mDNS on these interfaces (none = all that are fit), within a second. */
  findApis(values: Pick<ReachValues, 'discovery' | 'interfaces' | 'dataDir'>): Promise<readonly FoundApi[]>;
}

const exitUsage = 2;
/** Hidden: asked by the scripts of `octaskly completion`. */
const completionWord = '__complete';
/** How long `octaskly` alone looks for a dispatcher before it says how to begin, ms. */
const lookMs = 1300;
/** Least time between two notices of a lost dispatcher. */
const lostNoticeMs = 5000;

/** Runs the command line `argv` (without program and script) and resolves with the exit status. Never rejects. */
export async function runCli(argv: readonly string[], environment: CliEnvironment): Promise<number> {
  const { terminal } = environment;
  let called: Command | null = null;
  try {
    if (argv[0] === completionWord) return await answerCompletion(argv.slice(1), environment);
    const call = findCommand(argv);
    switch (call.kind) {
      case 'version':
        await terminal.stdout.write(`octaskly ${environment.version}\n`);
        return 0;
      case 'overview':
        await terminal.stdout.write(overview(commands, proseWidth(terminal)));
        return 0;
      case 'help':
        await terminal.stdout.write(commandHelp(call.command, proseWidth(terminal)));
        return 0;
      case 'nothing':
        return await sayStatus(environment);
      case 'command':
        called = call.command;
        return await runCommand(call.command, call.line, environment);
    }
  } catch (error) {
    return await report(error, terminal, called);
  }
}

/** Cells of a line of prose. */
function proseWidth(terminal: Terminal): number {
  return Math.min(proseMax, columnsOf(terminal) ?? proseMax);
}

type Call =
  | { readonly kind: 'version' | 'overview' | 'nothing' }
  | { readonly kind: 'help'; readonly command: Command }
  | { readonly kind: 'command'; readonly command: Command; readonly line: readonly string[] };

/** Options of how to reach the dispatcher may stand before the command too. */
function findCommand(argv: readonly string[]): Call {
  if (argv.length === 0) return { kind: 'nothing' };
  if (argv[0] === '--version' || argv[0] === '-V') return { kind: 'version' };
  const before = beforeCommand(argv);
  const [name, ...line] = before.words;
  if (name === undefined && before.help) return { kind: 'overview' };
  // Who says which dispatcher is meant asks about that one.
  if (name === undefined) return { kind: 'command', command: named('status'), line: argv };
  if (name === 'help') {
    const [about] = line;
    return about === undefined ? { kind: 'overview' } : { kind: 'help', command: named(about) };
  }
  const command = named(name);
  if (before.help) return { kind: 'help', command };
  return { kind: 'command', command, line: [...argv.slice(0, argv.length - line.length - 1), ...line] };
}

function beforeCommand(argv: readonly string[]): ReturnType<typeof parseLine> {
  try {
    return parseLine(argv, reachOptions, 'first word', { booleans: 'attached', further: ['version'] });
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
  throw usage(`There is no ${shown}.${nearestIs(name, names)} 'octaskly --help' lists all.`);
}

async function runCommand(named: Command, line: readonly string[], environment: CliEnvironment): Promise<number> {
  const { terminal } = environment;
  const command: Command = { ...named, options: named.optionsFor?.(line) ?? named.options };
  const { foreign, optionsEnd = 'anywhere' } = command;
  const { given, words, help } = parseLine(line, command.options, optionsEnd, {
    foreign,
    booleans: booleansOf(command),
  });
  if (help) {
    await terminal.stdout.write(commandHelp(command, proseWidth(terminal)));
    return 0;
  }
  const sources = await sourcesOf(given, environment);
  for (const warning of warningsOf(command.options, sources, allTables)) await note(terminal, warning);
  const values = resolveOptions(command.options, sources);
  checkWords(
    command,
    words,
    Object.entries(command.options).some(([key, { secret }]) => secret && given.has(key)),
  );
  if (command.kind === 'role') return await (await command.load())(environment.roles, values, words, sources);
  if (command.kind === 'own') {
    const { openLibrary } = environment;
    return await (await command.load())({ terminal, commands, openLibrary }, values, words);
  }
  const { roles } = environment;
  const direct = (await command.direct?.({ roles, terminal }, values, words)) ?? null;
  return direct ?? (await runClientCommand(command, values, words, environment));
}

/** A word of such a command may be `true`: what is to run, or the name of something. Roles know what their words are. */
export function booleansOf({ kind, wordsMax }: Command): BooleanValues {
  return kind !== 'role' && wordsMax > 0 ? 'attached' : 'separate';
}

/** Where the values of options come from: the line, the environment, and the config file that these name. */
async function sourcesOf(given: Sources['given'], environment: CliEnvironment): Promise<Sources> {
  const { env, homeDir } = environment.terminal;
  const places = resolveOptions(placeOptions, { given, env, file: null, homeDir });
  return { given, env, file: await readConfig(places.dataDir, places.config, environment), homeDir };
}

/** Completion must not hold up the person who types, ms. */
const completionMs = 500;

/** Answers a shell that asks what a line may go on with. Silent and in good order whatever happens. */
async function answerCompletion(words: readonly string[], environment: CliEnvironment): Promise<number> {
  const { terminal } = environment;
  const connect = async (given: Sources['given']): Promise<Client> => {
    const reach = resolveOptions(reachOptions, await sourcesOf(given, environment));
    const baseUrl = baseUrlOf(reach, () => environment.announcedApi(reach.dataDir));
    return (await wayTo(baseUrl, reach, environment)).connect({ timeoutMs: completionMs });
  };
  try {
    const { completionLines } = await import('./completion/answer.ts');
    const pages = async () => (await environment.openLibrary()).pages.map(({ name }) => name);
    const lines = await completionLines(words, { commands, pages, connect });
    await terminal.stdout.write(lines.map((line) => `${line}\n`).join(''));
  } catch {
    // Nobody typed this line to read an error.
  }
  return 0;
}

/** `octaskly` alone: what the dispatcher does, if there is one; else how to begin. Nobody there is no error. */
async function sayStatus(environment: CliEnvironment): Promise<number> {
  const { terminal } = environment;
  const isOver = new AbortController();
  try {
    const looking = runCommand(named('status'), [], environment).then(() => 'said' as const);
    const nobody = () => 'nobody' as const;
    const waiting = sleep(lookMs, isOver.signal).then(nobody, nobody);
    if ((await Promise.race([looking, waiting])) === 'said') return 0;
  } catch (error) {
    if (error instanceof BrokenPipe) return 0;
    const isAway = error instanceof OctasklyError && (error.code === 'unreachable' || error.code === 'timeout');
    if (!isAway) throw error;
  } finally {
    isOver.abort();
  }
  await terminal.stdout.write(firstSteps);
  return 0;
}

/** Shorter words are too weak for a secret and are repeated in errors. */
const secretLengthMin = 16;

/** `isPrivate`: a secret is on the line, and a word too many may be the rest of it. */
function checkWords(command: Command, words: readonly string[], isPrivate: boolean): void {
  const line = `octaskly ${command.name}${command.usage === '' ? '' : ` ${command.usage}`}`;
  if (words.length < command.wordsMin) {
    const example = line.endsWith('...') ? ` For example: octaskly ${command.examples[0]}` : '';
    throw usage(`Something is missing: ${line}${example === '' ? '.' : example}`);
  }
  const surplus = words[command.wordsMax];
  if (surplus === undefined) return;
  const isShown = !isPrivate && surplus.length < secretLengthMin;
  throw tooMuch(surplus, line, isShown);
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
  const { token, connect } = await wayTo(baseUrl, reach, environment);
  const client = connect({ onLost: lossTeller(terminal) });
  const action = await command.load();
  const verifyRecord: CommandContext['verifyRecord'] = (file) => roles.verifyRecord(file);
  const updateProgram: CommandContext['updateProgram'] = (request) => roles.update(request);
  const context: CommandContext = { client, connect, terminal, files, parseYaml, verifyRecord, updateProgram };
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
