/**
 * `docs`: what there is to read, without a network. `docs COMMAND` is the command's help, what the guide says of it, and
 * the page of the same name; `docs PAGE` is a page of `docs/`. On a terminal through a pager, elsewhere as it is.
 */

import { nearestIs } from '../../base/nearest.ts';
import type { Command, OwnAction, OwnContext } from '../command.ts';
import { columnsOf, hasColor, type Terminal } from '../context.ts';
import { commandHelp } from '../help.ts';
import type { Library, Page } from '../library.ts';
import type { OptionTable } from '../option.ts';
import { usage } from '../parse.ts';
import { proseMax, wrapped } from '../wrap.ts';

/** The page with a section for each command. */
const guide = 'command-line';
/** Says the same as the helps of all commands. */
const reference = 'commands';

export const docs: OwnAction<OptionTable> = async (context, _values, [word]) => {
  const library = await context.openLibrary();
  const reading = { ...context, library };
  await show(reading, word === undefined ? listing(reading) : about(reading, word.toLowerCase()));
  return 0;
};

interface Reading extends Pick<OwnContext, 'terminal' | 'commands'> {
  readonly library: Library;
}

const widthOf = (terminal: Terminal): number => Math.min(proseMax, columnsOf(terminal) ?? proseMax);

/** The first heading, without its marks. */
function titleOf({ text, name }: Page): string {
  return (/^# (.+)$/m.exec(text)?.[1] ?? name).replaceAll('`', '');
}

function listing({ library: { pages }, terminal, commands }: Reading): string {
  const width = widthOf(terminal);
  const most = Math.max(...pages.map(({ name }) => name.length));
  const rows = pages.map((page) =>
    wrapped(titleOf(page), { width, first: `  ${page.name.padEnd(most)}  `, rest: ' '.repeat(most + 4) }),
  );
  return [
    "Pages, each shown by 'octaskly docs PAGE':\n\n",
    ...rows,
    "\nCommands, each explained with examples by 'octaskly docs COMMAND':\n\n",
    wrapped(commands.map(({ name }) => name).join(' '), { width, first: '  ' }),
  ].join('');
}

function about(context: Reading, word: string): string {
  const { library, terminal, commands } = context;
  const { pages } = library;
  const command = commands.find(({ name, aliases }) => name === word || aliases?.includes(word));
  const page = pages.find(({ name }) => name === pageNameOf(word));
  const look = { columns: widthOf(terminal), color: hasColor(terminal) };
  if (command !== undefined) return aboutCommand(context, command);
  if (page !== undefined) return library.render(page.text, look);
  const known = [...pages.map(({ name }) => name), ...commands.map(({ name }) => name)];
  throw usage(`There is no page "${word}".${nearestIs(word, known)} 'octaskly docs' lists all.`);
}

/** A page is also found as others refer to it: `guide/ci.md`, `../INSTALL.md#options`. */
function pageNameOf(word: string): string {
  return word.replace(/#.*$/, '').replace(/\.md$/, '').replace(/^.*\//, '');
}

function aboutCommand({ library, terminal }: Reading, command: Command): string {
  const { pages } = library;
  const look = { columns: widthOf(terminal), color: hasColor(terminal) };
  const section = sectionOf(pages.find(({ name }) => name === guide)?.text ?? '', command.name);
  const page = pages.find(({ name }) => name === command.name);
  const further = pages.filter(
    ({ name, text }) => ![guide, reference, command.name].includes(name) && mentions(text, command),
  );
  return [
    commandHelp(command, look.columns),
    ...(section === null ? [] : ['\n', library.render(section, look)]),
    ...(page === undefined ? [] : ['\n', library.render(page.text, look)]),
    ...(further.length === 0
      ? []
      : [
          `\n${wrapped(`More in: ${further.map(({ name }) => `octaskly docs ${name}`).join(', ')}.`, { width: look.columns })}`,
        ]),
  ].join('');
}

/** What stands below `## octaskly NAME` in `text`, with its heading; null when there is no such section. */
export function sectionOf(text: string, name: string): string | null {
  const sections = text.split(/^(?=## )/m);
  return sections.find((section) => section.startsWith(`## octaskly ${name}\n`)) ?? null;
}

function mentions(text: string, { name }: Command): boolean {
  return new RegExp(`octaskly ${name}\\b`).test(text);
}

async function show({ terminal, library }: Reading, text: string): Promise<void> {
  if (terminal.stdout.isTTY && terminal.env.TERM !== 'dumb' && (await library.page(text))) return;
  await terminal.stdout.write(text);
}
