/** What views share: the place in the page, the present, an answer of the API that is read anew when something happened. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { reasonOf } from '../base/errors.ts';
import { wallMs } from './clock.ts';
import type { Bundle, Live } from './live.ts';
import { type Place, placeOf } from './model/place.ts';

/** The place the address names; null where there is none of that name. `fragment`: as it stands in the address. */
export function usePlace(): { readonly place: Place | null; readonly fragment: string } {
  const [fragment, setFragment] = useState(location.hash);
  useEffect(() => {
    const changed = (): void => setFragment(location.hash);
    // It may have changed between the drawing and now.
    changed();
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return { place: placeOf(fragment), fragment };
}

/** Wall ms of the dispatcher, every `everyMs`. */
export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(wallMs);
  useEffect(() => {
    const timer = setInterval(() => setNow(wallMs()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** True while the media query holds. */
export function useMedia(query: string): boolean {
  const [holds, setHolds] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const changed = (): void => setHolds(list.matches);
    changed();
    list.addEventListener('change', changed);
    return () => list.removeEventListener('change', changed);
  }, [query]);
  return holds;
}

/** Calls `listener` with each bundle of events. */
export function useEvents(live: Live, listener: (bundle: Bundle) => void): void {
  const latest = useRef(listener);
  latest.current = listener;
  useEffect(() => live.events.listen((bundle) => latest.current(bundle)), [live]);
}

export interface Reading<T> {
  readonly value: T | null;
  readonly error: string | null;
  /** Reads anew now. */
  readonly again: () => void;
}

/**
 * What `read` answers: at first, when `key` changes, and after events that `concerns` it, at most once every
 * `leastMs`. What was read stays shown while it is read anew, also to a view that comes back. `key` names view and answer.
 */
export function useReading<T>(
  live: Live,
  { key, read, concerns }: { key: string; read: () => Promise<T>; concerns: (bundle: Bundle) => boolean },
): Reading<T> {
  const leastMs = 1000;
  const [state, setState] = useState<{ key: string; value: T | null; error: string | null }>({
    ...{ key, value: keptOf<T>(live, key), error: null },
  });
  const [turn, setTurn] = useState(0);
  const waiting = useRef<ReturnType<typeof setTimeout> | null>(null);
  const reader = useRef(read);
  reader.current = read;
  useEffect(() => {
    let isCurrent = true;
    reader.current().then(
      (value) => {
        if (!isCurrent) return;
        live.keep(key, value);
        setState({ key, value, error: null });
      },
      (error: unknown) => isCurrent && setState({ key, value: keptOf<T>(live, key), error: reasonOf(error) }),
    );
    return () => {
      isCurrent = false;
    };
  }, [key, turn]);
  useEffect(
    () => () => {
      if (waiting.current !== null) clearTimeout(waiting.current);
    },
    [],
  );
  useEvents(live, (bundle) => {
    if (waiting.current !== null || !concerns(bundle)) return;
    waiting.current = setTimeout(() => {
      waiting.current = null;
      setTurn((before) => before + 1);
    }, leastMs);
  });
  const isOwn = state.key === key;
  return {
    value: isOwn ? state.value : keptOf<T>(live, key),
    error: isOwn ? state.error : null,
    again: () => setTurn((before) => before + 1),
  };
}

/** Keys name answers of one type each. */
function keptOf<T>(live: Live, key: string): T | null {
  return (live.kept(key) as T | undefined) ?? null;
}

/** Where a thing that had the focus went away, the content has it: the keyboard is never without a place. */
function keepFocus(): void {
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      if (document.activeElement === document.body) document.getElementById('content')?.focus();
    }),
  );
}

/** An action that a button starts: whether it is under way, and what went wrong with the last one. */
export function useAction(): {
  readonly busy: boolean;
  readonly error: string | null;
  readonly run: (action: () => Promise<unknown>) => void;
} {
  const [state, setState] = useState<{ busy: boolean; error: string | null }>({ busy: false, error: null });
  const run = (action: () => Promise<unknown>): void => {
    // Its button keeps the focus, which one that is disabled does not: `aria-disabled` says it, and this holds it.
    if (state.busy) return;
    setState({ busy: true, error: null });
    action().then(
      () => {
        setState({ busy: false, error: null });
        keepFocus();
      },
      (error: unknown) => setState({ busy: false, error: reasonOf(error) }),
    );
  };
  return { ...state, run };
}
