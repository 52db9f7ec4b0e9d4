/**
 * Finding each other by Multicast DNS: a dispatcher announces itself, a worker and a command look for dispatchers. What
 * was found is only where to dial: who answers there is for the handshake to show.
 */

import { networkInterfaces } from 'node:os';
import { isLoopbackHost } from '../base/place.ts';
import type { DispatcherValues } from '../cli/options.ts';
import type { FoundApi } from '../cli/reach.ts';
import type { MdnsNews } from '../discovery/mdns/contract.ts';
import { NoiseReport, type PacketCounts } from '../discovery/noise.ts';
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
import type { Log, Timer } from '../ports/time.ts';
import { systemClock } from '../runtime/clock.ts';
import { surveyInterfaces } from '../runtime/interfaces.ts';
import { openMdns } from '../runtime/mdns.ts';
import { acceptsConnections } from '../runtime/probe.ts';
import type { Address, Whereabouts } from '../worker/redial.ts';
import { absolute } from './common.ts';
import { knownFingerprints } from './known-dispatchers.ts';
import { provenPlaces } from './proving.ts';

/** After this long, ms, whoever is there has answered on most networks: what was not found by then is not waited for. */
const searchMs = 3000;
/** Most found dispatchers that are put into the log: beyond it somebody floods the network. */
const toldMax = 32;
/** How often is looked whether packets came to nothing, ms. */
const noiseLookMs = 2000;

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

/** A dispatcher that is announced. */
export interface Announcing {
  /** Packets of mDNS by what became of them since the start (`MdnsNode.counts`); none where it is not announced. */
  readonly counts: PacketCounts;
  /** Says goodbye. */
  close(): Promise<void>;
}

const unannounced: Announcing = { counts: {}, close: () => Promise.resolve() };

/** Announces a dispatcher until it is closed. Never throws. */
export function advertise({ values, facts, port, log }: Announced): Announcing {
  const { bind, discovery } = values;
  if (!discovery) return unannounced;
  if (isLoopbackHost(bind)) {
    log.info('not announced on the network: only this machine reaches it', { bind });
    return unannounced;
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
  let node: MdnsNode | null = null;
  const opened = openMdns({ interfaces: interfacesOf(values), onNews }).then((mdns) => {
    node = mdns;
    mdns.publish(serviceOf(facts, port));
    return mdns;
  });
  const watching = watchNoise(() => node, log);
  return {
    get counts() {
      return node?.counts ?? {};
    },
    close: async () => {
      watching.cancel();
      await (await opened).close();
    },
  };
}

/** Looks now and then whether packets came to nothing, and puts it into the log. */
function watchNoise(node: () => Pick<MdnsNode, 'counts' | 'found'> | null, log: Log): { cancel(): void } {
  const report = new NoiseReport(toldMax);
  let timer: Timer;
  const look = (): void => {
    const { counts = {}, found = [] } = node() ?? {};
    const line = report.look(counts, found.length, systemClock.steady());
    if (line !== null) log[line.level](line.message, line.fields);
    timer = systemClock.after(noiseLookMs, look);
  };
  timer = systemClock.after(noiseLookMs, look);
  return { cancel: () => timer.cancel() };
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
  const watching = watchNoise(() => mdns, log);
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
    close: async () => {
      watching.cancel();
      await (await opened).close();
    },
  };
}

interface Search {
  /** Dialled whatever is found; with no finder at least one. */
  readonly fixed: readonly Address[];
  /** A person named the fixed ones: they come first. Else first are those that are announced just now. */
  readonly named: boolean;
  readonly finder: Finder | null;
  /** What is known of the one looked for by now; null = nothing, and no found one is dialled. */
  sought(): Sought | null;
  /** It was met at an address that was found. Does not throw. */
  onFound(address: Address): void;
}

/** The given addresses, and those found of the dispatcher that is looked for. */
export function whereaboutsOf({ fixed, named, finder, sought, onFound }: Search): Whereabouts {
  const texts = new Set(fixed.map(placeText));
  const announced = (dispatchers = finder?.dispatchers ?? []): readonly Place[] => {
    const who = sought();
    return who === null ? [] : placesToDial(dispatchers, who);
  };
  const said = (dispatchers?: readonly FoundDispatcher[]): ReadonlySet<string> => {
    return new Set(announced(dispatchers).map(placeText));
  };
  const found = (): readonly Place[] => announced().filter((place) => !texts.has(placeText(place)));
  return {
    addresses: () => {
      const there = said();
      if (named || sought()?.by !== 'fingerprint' || there.size === 0) return [...fixed, ...found()];
      const { here = [], gone = [] } = Object.groupBy(fixed, (place) =>
        there.has(placeText(place)) ? 'here' : 'gone',
      );
      return [...here, ...found(), ...gone];
    },
    isSearching: () => finder !== null && sought() !== null && finder.elapsedMs < searchMs,
    onNews(listener) {
      // Who is looked for may have become known in between, by the handshake: both sides are read by what is known now.
      let last = finder?.dispatchers;
      const unlisten = finder?.onNews(() => {
        const before = said(last);
        last = finder.dispatchers;
        const known = said(last);
        if (known.symmetricDifference(before).size > 0) listener(!before.isSubsetOf(known));
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

/**
 * Dispatchers with an API, found within a second; `url` is the first address that answers, or just the first. Those that
 * announce one key are asked to show it, and so are all that announce the one this data directory knows.
 */
export async function findApis(values: DiscoveryValues & { readonly dataDir: string }): Promise<readonly FoundApi[]> {
  const known = knownFingerprints(absolute(values.dataDir));
  const mdns = await openMdns({ interfaces: values.interfaces, onNews: () => undefined });
  mdns.browse(serviceType);
  await new Promise<void>((resolve) => systemClock.after(browseMs, resolve));
  const dispatchers = dispatchersIn(mdns.found);
  await mdns.close();
  const claims = Map.groupBy(dispatchers, ({ fingerprint }) => fingerprint);
  return Promise.all(
    dispatchers.map((one) => {
      const own = known.has(one.fingerprint);
      return apiOf(one, { own, contested: own || (claims.get(one.fingerprint)?.length ?? 0) > 1 });
    }),
  );
}

/** Where the API of a dispatcher is. `contested`: only where it has shown its key, if it has anywhere. */
async function apiOf(
  dispatcher: FoundDispatcher,
  { own, contested }: { readonly own: boolean; readonly contested: boolean },
): Promise<FoundApi> {
  const { name, apiPort, scheme, fingerprint } = dispatcher;
  const shown = contested ? await provenPlaces(dispatcher) : [];
  const places = shown.length > 0 ? shown : dispatcher.places;
  const apis = places.map(({ host }) => ({ host, port: apiPort }));
  const open = await Promise.all(apis.map(isOpen));
  const index = open.indexOf(true);
  const place = apis[Math.max(0, index)];
  const url = place === undefined ? '' : `${scheme}://${placeText(place)}`;
  return { name, url, fingerprint, answers: index >= 0, own, proven: contested ? shown.length > 0 : null };
}
