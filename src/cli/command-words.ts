/** What the words of several commands are, for the tables of commands. */

export const many = Number.POSITIVE_INFINITY;
export const noWords = { usage: '', wordsMin: 0, wordsMax: 0 } as const;
export const oneTaskWord = { usage: 'ID', wordsMin: 1, wordsMax: 1, completes: ['task'] } as const;
export const oneWorkerWord = { usage: 'WORKER', wordsMin: 1, wordsMax: 1, completes: ['worker'] } as const;
export const selectorWords = { usage: 'SELECTOR...', wordsMin: 1, wordsMax: many, completes: ['selector'] } as const;
export const selectors = 'A selector is an id or its beginning, last, all, batch:ID, tag:k=v or status:STATE.';
