/**
 * Questions of one link, and when each is asked next (RFC 6762 section 5.2): soon, then after one second, two, four … The
 * machine asks for what it browses for ever, for what completes a service until it is there.
 *
 * The first time it wants the answer by unicast (section 5.4): whoever has told the group just now would keep silent for
 * a second otherwise. Should another process of this host get that answer, the next question is one to the group.
 */

import type { Chance } from './contract.ts';
import { duplicateQuestionMs, questionsMax, resolveIntervalMaxMs, rfc } from './limits.ts';
import { type Question, setKeyOf } from './records.ts';

interface Planned {
  readonly question: Question;
  readonly lasting: boolean;
  nextAt: number;
  intervalMs: number;
  /** Never asked so far. */
  isNew: boolean;
}

export class Questions {
  readonly #chance: Chance;
  readonly #planned = new Map<string, Planned>();

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  get nextAt(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { nextAt } of this.#planned.values()) next = Math.min(next, nextAt);
    return next;
  }

  /** Asks anew from now on; a question that is `lasting` for ever. */
  browse(question: Question, at: number): void {
    this.#plan(question, true, at);
  }

  /** Asks until `due` is told that it is answered; as often as planned when it is asked already. */
  resolve(question: Question, at: number): void {
    const known = this.#planned.has(setKeyOf(question.name, question.type));
    if (!known && this.#planned.size < questionsMax) this.#plan(question, false, at);
  }

  #plan(question: Question, lasting: boolean, at: number): void {
    const { least, most } = rfc.questionDelayMs;
    const nextAt = at + least + this.#chance() * (most - least);
    const key = setKeyOf(question.name, question.type);
    this.#planned.set(key, { question, lasting, nextAt, intervalMs: rfc.questionIntervalMs, isNew: true });
  }

  /** Those to be asked now; `open` tells whether one that is not lasting still wants an answer. */
  due(at: number, open: (question: Question) => boolean): Question[] {
    const asked: Question[] = [];
    for (const [key, planned] of this.#planned) {
      if (planned.nextAt > at) continue;
      if (planned.lasting || open(planned.question)) {
        asked.push({ ...planned.question, unicast: planned.isNew });
        planned.isNew = false;
        postpone(planned, at);
      } else {
        this.#planned.delete(key);
      }
    }
    return asked;
  }

  /** Section 7.3: somebody else has just asked this, and what we know already is more than they do. */
  asked(question: Question, at: number): void {
    const planned = this.#planned.get(setKeyOf(question.name, question.type));
    if (planned !== undefined && planned.nextAt - at <= duplicateQuestionMs) postpone(planned, at);
  }
}

function postpone(planned: Planned, at: number): void {
  planned.nextAt = at + planned.intervalMs;
  const most = planned.lasting ? rfc.questionIntervalMaxMs : resolveIntervalMaxMs;
  planned.intervalMs = Math.min(planned.intervalMs * 2, most);
}
