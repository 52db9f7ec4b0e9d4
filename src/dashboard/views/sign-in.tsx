/** The question for a token. It goes into a cookie that no script reads, and is not kept here. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { useAction } from '../hooks.ts';
import type { Live } from '../live.ts';
import { Failure } from '../parts/small.tsx';

export function SignInView({ live, reason }: { live: Live; reason: string | null }) {
  const [token, setToken] = useState('');
  const { busy, error, run } = useAction();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  const submit = (event: Event): void => {
    event.preventDefault();
    run(async () => live.signIn(token.trim()));
  };
  return (
    <form class="card sign-in" onSubmit={submit}>
      <h1>Sign in to Octaskly</h1>
      {reason !== null && <p>{reason}</p>}
      <label>
        <span>Token</span>
        <input
          ref={input}
          type="password"
          name="token"
          autocomplete="current-password"
          spellcheck={false}
          required
          value={token}
          onInput={({ currentTarget }) => setToken(currentTarget.value)}
        />
      </label>
      <Failure text={error} />
      <button type="submit" class="primary" aria-disabled={busy}>
        Sign in
      </button>
      <p class="note">
        On the machine of the dispatcher, make one with <code>octaskly token create --name NAME --role admin</code>
      </p>
    </form>
  );
}
