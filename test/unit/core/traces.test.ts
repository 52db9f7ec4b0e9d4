/**
 * Replays the stories in `test/unit/traces`: commands above `----`, what the scheduler does about them below. The files
 * are the scheduler's behaviour in prose and text; `UPDATE_TRACES=1 bun test traces` writes them anew, to be read and
 * judged in the diff.
 */

import { expect, test } from 'bun:test';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Story } from './story.ts';

const folder = join(import.meta.dir, '..', 'traces');
const update = process.env.UPDATE_TRACES === '1';

/** The story with the answers the scheduler gives now. Blocks are separated by empty lines; `#` lines are prose. */
function replay(text: string): string {
  const story = new Story();
  const blocks = text.trimEnd().split(/\n{2,}/);
  return `${blocks.map((block) => replayBlock(story, block)).join('\n\n')}\n`;
}

function replayBlock(story: Story, block: string): string {
  const asked = block.split('\n----')[0] ?? '';
  const commands = asked.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  if (commands.length === 0) return asked;
  const answers = commands.flatMap((command) => story.run(command));
  const spoken = answers.length > 1 ? answers.filter((answer) => answer !== 'ok') : answers;
  return `${asked}\n----\n${(spoken.length === 0 ? ['ok'] : spoken).join('\n')}`;
}

for (const file of readdirSync(folder).filter((name) => name.endsWith('.txt'))) {
  test(`step() tells the story of ${file}`, () => {
    const path = join(folder, file);
    const written = readFileSync(path, 'utf8');
    const told = replay(written);
    if (update) writeFileSync(path, told);
    else expect(told).toBe(written);
  });
}

test('step() is deterministic: a story told twice is told the same', () => {
  const text = readFileSync(join(folder, 'first-task.txt'), 'utf8');
  expect(replay(text)).toBe(replay(text));
});

test('replay() notices an answer that is not the scheduler’s', () => {
  const text = readFileSync(join(folder, 'first-task.txt'), 'utf8');
  const changed = text.replace('assign a#1 to w1', 'assign a#1 to w2');
  expect(changed).not.toBe(text);
  expect(replay(changed)).toBe(text);
});
