/** A button whose order cannot be taken back: it asks first, with "No" under the finger, and Escape means no. */

import { useLayoutEffect, useRef, useState } from 'preact/hooks';

interface ConfirmProps {
  readonly label: string;
  /** What it is about, for who hears the button alone. */
  readonly of: string;
  readonly yes: string;
  readonly busy: boolean;
  readonly onYes: () => void;
}

export function Confirm({ label, of, yes, busy, onYes }: ConfirmProps) {
  const [asking, setAsking] = useState(false);
  const no = useRef<HTMLButtonElement>(null);
  const ask = useRef<HTMLButtonElement>(null);
  const wasAsking = useRef(false);
  useLayoutEffect(() => {
    if (asking) no.current?.focus();
    else if (wasAsking.current) ask.current?.focus();
    wasAsking.current = asking;
  }, [asking]);
  if (!asking) {
    return (
      <button type="button" key="ask" class="small" ref={ask} aria-disabled={busy} onClick={() => setAsking(!busy)}>
        {label}
        <span class="hidden"> {of}</span>
      </button>
    );
  }
  const leave = ({ key }: KeyboardEvent): void => {
    if (key === 'Escape') setAsking(false);
  };
  const confirm = (): void => {
    setAsking(false);
    onYes();
  };
  return (
    <fieldset class="confirm" key="asking" aria-label={`${label} ${of}`} onKeyDown={leave}>
      <button type="button" class="small danger" onClick={confirm}>
        {yes}
      </button>
      <button type="button" class="small" ref={no} onClick={() => setAsking(false)}>
        No
      </button>
    </fieldset>
  );
}
