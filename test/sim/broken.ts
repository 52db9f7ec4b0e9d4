/** A promise that was not kept, and how it is told. */

export class Broken extends Error {
  override readonly name = 'Broken';
}

/** Throws `Broken` when what must hold does not. */
export function check(condition: boolean, sentence: () => string): void {
  if (!condition) throw new Broken(sentence());
}
