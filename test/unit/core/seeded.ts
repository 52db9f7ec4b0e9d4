/** Numbers from a seed (mulberry32), so that a failing random run can be repeated. */

/** Draws whole numbers from 0 to below `below`. */
export type Draw = (below: number) => number;

export function seeded(seed: number): Draw {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** One of `items`, which holds at least one. */
export function pick<T>(draw: Draw, items: readonly T[]): T {
  return items[draw(items.length)] as T;
}
