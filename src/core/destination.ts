/**
 * Where a notification goes: a URL and the form its receiver wants. Pure text work; it resolves no name and sends nothing.
 *
 *   https://host/path          a JSON webhook, unless the host is known for another form
 *   slack:https://…            Slack's incoming webhooks, and what takes the same (Mattermost, Discord's /slack)
 *   ntfy:https://host/topic    ntfy (https://docs.ntfy.sh/publish)
 *   json:https://…             a JSON webhook, whatever the host; `kind+https://…` is the same as `kind:https://…`
 *
 * Invariant: what was parsed has a scheme of http or https, no user, no password, no fragment, and printable ASCII only. The
 * path of such a URL is often its secret, so that messages and logs show `originOf` alone.
 */

const destinationKinds = ['json', 'slack', 'ntfy'] as const;
export type DestinationKind = (typeof destinationKinds)[number];

export interface Destination {
  readonly kind: DestinationKind;
  /** As `URL.href` writes it. */
  readonly url: string;
}

/** Characters of a destination. */
export const destinationLengthMax = 2048;

const prefixPattern = new RegExp(`^(${destinationKinds.join('|')})[:+](?=https?:)`, 'i');
const knownHosts: Readonly<Record<string, DestinationKind>> = { 'hooks.slack.com': 'slack', 'ntfy.sh': 'ntfy' };

/** The destination a text names, or what is wrong with it, as the end of the sentence "It …". */
export function parseDestination(text: string): { readonly value: Destination } | { readonly problem: string } {
  if (text.length > destinationLengthMax) return { problem: `has more than ${destinationLengthMax} characters` };
  // URL would leave them out in silence.
  if (/[\s\p{Cc}]/u.test(text)) return { problem: 'holds a space, a line end or a control character' };
  const prefix = prefixPattern.exec(text);
  const address = prefix === null ? text : text.slice(prefix[0].length);
  if (!/^https?:\/\//i.test(address) || !URL.canParse(address)) {
    return {
      problem: 'is not an address such as https://example.org/hook, ntfy:https://ntfy.sh/topic or slack:https://…',
    };
  }
  const url = new URL(address);
  if (url.username !== '' || url.password !== '') {
    return { problem: 'names a user or a password; what a receiver needs goes into the path or query' };
  }
  const given = destinationKinds.find((kind) => kind === prefix?.[1]?.toLowerCase());
  const kind = given ?? knownHosts[url.hostname] ?? 'json';
  if (kind === 'ntfy' && !/^\/[\w-]/.test(url.pathname))
    return { problem: 'names no topic: ntfy:https://ntfy.sh/TOPIC' };
  url.hash = '';
  return { value: { kind, url: url.href } };
}

/** The text a destination is stored as; `parseDestination` gives the same destination again. */
export function destinationText({ kind, url }: Destination): string {
  return `${kind}:${url}`;
}

/** Scheme, host and port of a stored destination: all that is ever shown of it. */
export function originOf(text: string): string {
  const parsed = parseDestination(text);
  return 'value' in parsed ? new URL(parsed.value.url).origin : 'an address that is not valid';
}

/** `host` or `host:port` of an origin as an operator writes it; a host alone means the port of its scheme. */
export function isAllowedHost(text: string): boolean {
  return /^(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.test(text);
}

/**
 * True when whoever may not choose freely may have a notification sent there: to the origin of one of `origins`, or to
 * one of the allowed hosts (as `isAllowedHost` takes them).
 */
export function mayNotify(
  text: string,
  { origins, hosts }: { readonly origins: readonly string[]; readonly hosts: readonly string[] },
): boolean {
  const parsed = parseDestination(text);
  if (!('value' in parsed)) return false;
  const { origin, host } = new URL(parsed.value.url);
  return origins.includes(origin) || hosts.some((allowed) => allowed.toLowerCase() === host);
}
