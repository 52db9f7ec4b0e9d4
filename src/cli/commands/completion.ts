/** `completion SHELL`: the script by which a shell completes command lines of octaskly. */

import { didYouMean } from '../../base/nearest.ts';
import type { OwnAction } from '../command.ts';
import { scripts, shells } from '../completion/scripts.ts';
import type { OptionTable } from '../option.ts';
import { usage } from '../parse.ts';

export const completion: OwnAction<OptionTable> = async ({ terminal }, _values, [word = '']) => {
  const shell = shells.find((one) => one === word);
  if (shell === undefined) {
    const all = `There is no completion for "${word}", only for ${shells.join(', ')}`;
    throw usage(`${all}${didYouMean(word, shells) || '.'} Try: octaskly completion bash.`);
  }
  await terminal.stdout.write(scripts[shell]);
  return 0;
};
