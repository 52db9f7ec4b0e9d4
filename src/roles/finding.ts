/**
 * Finding each other by Multicast DNS: a dispatcher announces itself, a worker and a command look for dispatchers. What
 * was found is only where to dial: who answers there is for the handshake to show.
 */

import { networkInterfaces } from 'node:os';
import { isLoopbackHost } from '../base/place.ts';
import type { DispatcherValues } from '../cli/options.ts';
import type { FoundApi } from '../cli/reach.ts';
import type { MdnsNews } from '../discovery/mdns/contract.ts';
import {
  type DispatcherFacts,
  dispatchersIn,
  type FoundDispatcher,
  type Place,
  placesToDial,
  placeText,
  type Sought,
  serviceOf,
  serviceType,
} from '../discovery/service.ts';
import type { MdnsNode } from '../ports/discovery.ts';
import type { Log } from '../ports/time.ts';
import { systemClock } from '../runtime/clock.ts';
import { surveyInterfaces } from '../runtime/interfaces.ts';
import { openMdns } from '../runtime/mdns.ts';
import { acceptsConnections } from '../runtime/probe.ts';
import type { Address, Whereabouts } from '../worker/redial.ts';

/** After this long, ms, whoever is there has answered on most networks: what was not found by then is not waited for. */
const searchMs = 3000;
/** Most found dispatchers that are put into the log: beyond it somebody floods the network. */
const toldMax = 32;

interface DiscoveryValues {
  readonly discovery: boolean;
  readonly interfaces: readonly string[];
}

/** Interfaces named that are not there: they may come later, or nobody will ever come by them. */
async function tellMissing(named: readonly string[], log: Log): Promise<void> {
  if (named.length === 0) return;
  const present = (await surveyInterfaces(named)).map(({ name }) => name);
  for (const name of named) {
    if (present.includes(name)) continue;
    log.warn('no network interface of this name has an address; it is used as soon as it has', {
      interface: name,
      present: present.join(', '),
    });
  }
}

// ------------------------------------------------------------------------------------------------ the dispatcher

interface Announced {
  readonly values: DiscoveryValues & Pick<DispatcherValues, 'bind'>;
  readonly facts: DispatcherFacts;
  /** Where it takes workers. */
  readonly port: number;
  readonly log: Log;
}

/** Announces a dispatcher until the returned function, which says goodbye, has been called. Never throws. */
export function advertise({ values, facts, port, log }: Announced): () => Promise<void> {
  const { bind, discovery } = values;
  if (!discovery) return () => Promise.resolve();
  if (isLoopbackHost(bind)) {
    log.info('not announced on the network: only this machine reaches it', { bind });
    return () => Promise.resolve();
  }
  void tellMissing(values.interfaces, log);
  let told = '';
  const onNews = (news: MdnsNews): void => {
    if (news.kind === 'renamed')
      log.warn('somebody else has this name; taking another', { name: news.from, to: news.to });
    if (news.kind !== 'established' || news.instance === told) return;
    told = news.instance;
    const { id, clusterId, fingerprint: key } = facts;
    log.info('announced by mDNS', { name: news.instance, host: news.host, port, id, cluster: clusterId, key });
  };
  const opened = openMdns({ interfaces: interfacesOf(values), onNews }).then((mdns) => {
    mdns.publish(serviceOf(facts, port));
    return mdns;
  });
  return async () => (await opened).close();
}

/** The interfaces to be announced on: with one address only, that address's. */
function interfacesOf({ bind, interfaces }: Announced['values']): readonly string[] {
  if (bind === '0.0.0.0' || bind === '::') return interfaces;
  const own = Object.entries(networkInterfaces())
    .filter(([, entries]) => entries?.some(({ address }) => address === bind))
    .map(([name]) => name);
  // A host's name stands for whatever it resolves to.
  if (own.length === 0) return interfaces;
  const wanted = own.filter((name) => interfaces.length === 0 || interfaces.includes(name));
  return wanted.length > 0 ? wanted : interfaces;
}

// ---------------------------------------------------------------------------------------------------- the worker

/** Dispatchers as they are found. */
export interface Finder {
  /** Those there are just now; the ones with the fingerprint that is looked for first. */
  readonly dispatchers: readonly FoundDispatcher[];
  /** Looked for them for this long, ms. */
  readonly elapsedMs: number;
  /** Whose key is looked for: it is named in the log, and comes first. */
  seek(fingerprint: string): void;
  /** Calls `listener` when one came, changed or went; returns what ends that. */
  onNews(listener: () => void): () => void;
  close(): Promise<void>;
}

/** Looks for dispatchers until it is closed, and lists them in the log. Null when that is not wanted. Never throws. */
export function openFinder({ discovery, interfaces }: DiscoveryValues, log: Log): Finder | null {
  if (!discovery) return null;
  void tellMissing(interfaces, log);
  const startedAt = systemClock.steady();
  const listeners = new Set<() => void>();
  const told = new Set<string>();
  let mdns: MdnsNode | null = null;
  let sought: string | null = null;
  const tell = (): void => {
    for (const { name, places, fingerprint, clusterId } of dispatchersIn(mdns?.found ?? [], sought)) {
      const line = `${name} ${fingerprint} ${places.map(placeText).join(' ')}`;
      if (told.has(line) || told.size >= toldMax) continue;
      told.add(line);
      const own = sought === null ? {} : { own: fingerprint === sought };
      log.info('found a dispatcher', {
        name,
        at: places.map(placeText).join(', '),
        key: fingerprint,
        cluster: clusterId,
        ...own,
      });
    }
  };
  const onNews = ({ kind }: MdnsNews): void => {
    if (kind !== 'found' && kind !== 'lost') return;
    tell();
    for (const listener of [...listeners]) listener();
  };
  const opened = openMdns({ interfaces, onNews }).then((node) => {
    mdns = node;
    node.browse(serviceType);
    return node;
  });
  return {
    get dispatchers() {
      return dispatchersIn(mdns?.found ?? [], sought);
    },
    get elapsedMs() {
      return systemClock.steady() - startedAt;
    },
    seek(fingerprint) {
      sought = fingerprint;
    },
    onNews(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: async () => (await opened).close(),
  };
}

interface Search {
  /** Dialled whatever is found, and first; with no finder at least one. */
  readonly fixed: readonly Address[];
  readonly finder: Finder | null;
  /** What is known of the one looked for; null = nothing, and no found one is dialled. */
  readonly sought: Sought | null;
  /** It was met at an address that was found. Does not throw. */
  onFound(address: Address): void;
}

/** The given addresses, and those found of the dispatcher that is looked for. */
export function whereaboutsOf({ fixed, finder, sought, onFound }: Search): Whereabouts {
  const texts = new Set(fixed.map(placeText));
  const found = (): readonly Place[] => {
    if (finder === null || sought === null) return [];
    return placesToDial(finder.dispatchers, sought).filter((place) => !texts.has(placeText(place)));
  };
  return {
    addresses: () => [...fixed, ...found()],
    isSearching: () => finder !== null && sought !== null && finder.elapsedMs < searchMs,
    onNews(listener) {
      let known = new Set(found().map(placeText));
      const unlisten = finder?.onNews(() => {
        const present = found().map(placeText);
        const isNew = present.some((place) => !known.has(place));
        known = new Set(present);
        if (isNew) listener();
      });
      return unlisten ?? (() => undefined);
    },
    reached(address) {
      if (!texts.has(placeText(address))) onFound(address);
    },
  };
}

// --------------------------------------------------------------------------------------------------- a command

/**
 * How long a command looks, ms. Not less when it has found one: a second one that has just answered somebody else may
 * keep silent for a second (RFC 6762 section 6), and to miss it is to choose for the person.
 */
const browseMs = 1000;
/** How long an API may take to take a connection, ms. */
const answerMs = 1000;

/** Whether anybody listens at a URL. */
export async function answers(url: string): Promise<boolean> {
  if (!URL.canParse(url)) return false;
  const { hostname, port, protocol } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  return isOpen({ host, port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) });
}

/** An address that leads nowhere does not say so. */
async function isOpen(place: Place): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = systemClock.after(answerMs, () => resolve(false));
  void acceptsConnections(place).then(resolve);
  const open = await promise;
  timer.cancel();
  return open;
}

/** Dispatchers with an API, found within a second; `url` is the first address that answers, or just the first. */
export async function findApis(values: DiscoveryValues): Promise<readonly FoundApi[]> {
  const mdns = await openMdns({ interfaces: values.interfaces, onNews: () => undefined });
  mdns.browse(serviceType);
  await new Promise<void>((resolve) => systemClock.after(browseMs, resolve));
  const dispatchers = dispatchersIn(mdns.found);
  await mdns.close();
  return Promise.all(
    dispatchers.map(async ({ name, places, apiPort, scheme, fingerprint }) => {
      const apis = places.map(({ host }) => ({ host, port: apiPort }));
      const open = await Promise.all(apis.map(isOpen));
      const index = open.indexOf(true);
      const place = apis[Math.max(0, index)];
      const url = place === undefined ? '' : `${scheme}://${placeText(place)}`;
      return { name, url, fingerprint, answers: index >= 0 };
    }),
  );
}
