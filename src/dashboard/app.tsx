/** The frame of the page: menu, state of the connection, who looks; and in it the part that the address names. */

import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { SessionView } from '../api/trust-schemas.ts';
import { usePlace } from './hooks.ts';
import type { Live } from './live.ts';
import { plainText } from './model/format.ts';
import { tabs as allTabs, fragmentOf, type Place, type Tab, tabsFor } from './model/place.ts';
import { useValue } from './value.ts';
import { AuditView } from './views/audit.tsx';
import { BatchesView } from './views/batches.tsx';
import { DevicesView } from './views/devices.tsx';
import { OverviewView } from './views/overview.tsx';
import { SignInView } from './views/sign-in.tsx';
import { SubmitView } from './views/submit.tsx';
import { TaskView } from './views/task.tsx';
import { TasksView } from './views/tasks.tsx';
import { TimelineView } from './views/timeline.tsx';
import { WorkersView } from './views/workers.tsx';

/** Characters of an address that are repeated. */
const fragmentLengthMax = 60;

export function App({ live }: { live: Live }) {
  const who = useValue(live.who);
  const lost = useValue(live.lost);
  if (who.kind === 'known') return <Frame live={live} session={who.session} />;
  return (
    <main class="alone">
      {lost !== null && <Lost />}
      {who.kind === 'asking' ? <h1 class="brand">Octaskly</h1> : <SignInView live={live} reason={who.reason} />}
    </main>
  );
}

function Lost() {
  return (
    <p class="lost" role="alert">
      The dispatcher does not answer. What is shown is how it was; trying again …
    </p>
  );
}

function Frame({ live, session }: { live: Live; session: SessionView }) {
  const lost = useValue(live.lost);
  const tabs = tabsFor(session.role);
  const { place: asked, fragment } = usePlace();
  const first = tabs[0]?.name ?? null;
  const isHome = /^#?\/?$/.test(fragment) && first !== null;
  const shown: Place | null = isHome ? { tab: first, id: null, query: {} } : asked;
  const tab = tabs.find(({ name }) => name === shown?.tab);
  const heading = useRef<HTMLElement>(null);
  const title = tab?.label ?? 'Nothing here';
  useEffect(() => {
    document.title = `${title} · Octaskly`;
    heading.current?.scrollTo(0, 0);
    // What one came from has gone, and the focus with it.
    if (document.activeElement === document.body) heading.current?.focus();
  }, [title, shown?.id]);
  return (
    <div class="frame">
      <button type="button" class="skip" onClick={() => heading.current?.focus()}>
        Skip to the content
      </button>
      <header class="top">
        <a class="brand" href="#/">
          <Mark />
          Octaskly
        </a>
        <Menu live={live} tabs={tabs} current={tab?.name ?? null} />
        <Whoami live={live} session={session} />
      </header>
      <main id="content" ref={heading} tabIndex={-1}>
        {lost !== null && <Lost />}
        {shown === null || tab === undefined ? (
          <Nothing role={session.role} place={shown} fragment={fragment} />
        ) : (
          part(live, shown, session)
        )}
      </main>
    </div>
  );
}

/** Why there is nothing to show. */
function Nothing({ role, place, fragment }: { role: string; place: Place | null; fragment: string }) {
  const label = allTabs.find(({ name }) => name === place?.tab)?.label;
  return (
    <>
      <h1>Nothing here</h1>
      <p class="empty card">
        {label === undefined
          ? `There is no page “${plainText(fragment.slice(0, fragmentLengthMax))}”.`
          : `A token with the role “${role}” does not see “${label}”.`}{' '}
        <a href="#/">Go to the first page</a>
      </p>
    </>
  );
}

function part(live: Live, { tab, id, query }: Place, session: SessionView): ComponentChildren {
  switch (tab) {
    case 'overview':
      return <OverviewView live={live} />;
    case 'timeline':
      return <TimelineView live={live} />;
    case 'workers':
      return <WorkersView live={live} />;
    case 'tasks':
      return id === null ? <TasksView live={live} query={query} /> : <TaskView key={id} live={live} id={id} />;
    case 'batches':
      return <BatchesView live={live} />;
    case 'devices':
      return <DevicesView live={live} session={session} />;
    case 'submit':
      return <SubmitView live={live} />;
    case 'audit':
      return <AuditView live={live} />;
  }
}

function Menu({ live, tabs, current }: { live: Live; tabs: ReturnType<typeof tabsFor>; current: Tab | null }) {
  const waiting = useValue(live.cluster)?.approvals.length ?? 0;
  const list = useRef<HTMLUListElement>(null);
  // On a phone the menu is wider than the screen.
  useEffect(
    () => list.current?.querySelector('[aria-current]')?.scrollIntoView({ inline: 'center', block: 'nearest' }),
    [current],
  );
  return (
    <nav aria-label="Parts of the page">
      <ul ref={list}>
        {tabs.map(({ name, label }) => (
          <li key={name}>
            <a href={fragmentOf(name)} aria-current={name === current ? 'page' : undefined}>
              {label}
              {name === 'devices' && waiting > 0 && (
                <span class="badge">
                  {waiting} <span class="hidden">waiting</span>
                </span>
              )}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Whoami({ live, session: { name, role, by } }: { live: Live; session: SessionView }) {
  const lost = useValue(live.lost);
  const state = lost === null ? 'connected' : 'not connected';
  return (
    <div class="who">
      <span class={`light ${lost === null ? 'up' : 'down'}`} role="img" aria-label={state} title={state} />
      <span title={`role: ${role}`}>
        {name}
        <span class="role"> {role}</span>
      </span>
      {by === 'cookie' && (
        <button type="button" class="small" onClick={() => void live.signOut()}>
          Sign out
        </button>
      )}
    </div>
  );
}

function Mark() {
  const dots = [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3];
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      {dots.map((opacity, at) => (
        <circle
          key={opacity}
          cx={16 + 11 * Math.sin((at * Math.PI) / 4)}
          cy={16 - 11 * Math.cos((at * Math.PI) / 4)}
          r="3.2"
          opacity={opacity}
        />
      ))}
    </svg>
  );
}
