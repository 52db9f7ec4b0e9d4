/** Which part of the page is shown, as the fragment of its address says: `#/tasks/ID`. Pure. */

/** Parts of the page in the order of its menu. `needs`: the least that has to be allowed to whoever looks. */
export const tabs = [
  { name: 'overview', label: 'Overview', needs: 'cluster' },
  { name: 'timeline', label: 'Timeline', needs: 'tasks' },
  { name: 'workers', label: 'Workers', needs: 'cluster' },
  { name: 'tasks', label: 'Tasks', needs: 'tasks' },
  { name: 'batches', label: 'Batches', needs: 'tasks' },
  { name: 'devices', label: 'Approvals', needs: 'cluster' },
  { name: 'submit', label: 'Submit', needs: 'tasks' },
  { name: 'audit', label: 'Audit', needs: 'admin' },
] as const;

export type Tab = (typeof tabs)[number]['name'];

export interface Place {
  readonly tab: Tab;
  /** Of the one thing shown, else null. */
  readonly id: string | null;
  readonly query: Readonly<Record<string, string>>;
}

const allowed: Readonly<Record<string, readonly string[]>> = {
  admin: ['tasks', 'cluster', 'admin'],
  dispatcher: ['tasks', 'cluster'],
  client: ['tasks'],
};

/** The tabs a role may see; the API decides for itself what it answers. */
export function tabsFor(role: string): readonly (typeof tabs)[number][] {
  return tabs.filter(({ needs }) => allowed[role]?.includes(needs) === true);
}

/** The place a fragment names; null for one that is none. */
export function placeOf(fragment: string): Place | null {
  const [path = '', search = ''] = fragment.replace(/^#\/?/, '').split('?', 2);
  const [name = '', id] = path.split('/', 2);
  const tab = tabs.find((each) => each.name === name);
  if (tab === undefined) return null;
  return { tab: tab.name, id: id === undefined || id === '' ? null : decoded(id), query: queryOf(search) };
}

function queryOf(search: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(search));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The fragment for a place; entries of the query that are empty are left out. */
export function fragmentOf(tab: Tab, id: string | null = null, query: Readonly<Record<string, string>> = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== '');
  const search = given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
  return `#/${tab}${id === null ? '' : `/${encodeURIComponent(id)}`}${search}`;
}
