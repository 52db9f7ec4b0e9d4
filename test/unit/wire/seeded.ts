/** Numbers from a seed (mulberry32): a failing run repeats itself. */

/** Returns a function that draws whole numbers from 0 to `below` - 1. */
export function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (((mixed ^ (mixed >>> 14)) >>> 0) % below) >>> 0;
  };
}

/** `count` bytes drawn by `draw`. */
export function drawBytes(draw: (below: number) => number, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, () => draw(256));
}
