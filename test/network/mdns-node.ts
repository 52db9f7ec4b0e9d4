/**
 * A process of the network tests: Multicast DNS as the product runs it, told what to do by lines of JSON on its standard
 * input, telling what happens by lines of JSON on its standard output.
 */

import type { MdnsService } from '../../src/discovery/mdns/contract.ts';
import { openMdns } from '../../src/runtime/mdns.ts';
import { readLines } from '../e2e/site.ts';

/** What it can be told. */
export type MdnsOrder =
  | { readonly publish: MdnsService }
  | { readonly browse: string }
  | { readonly tell: 'counts' | 'found' | 'interfaces' };

const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);

const node = await openMdns({ interfaces: process.argv.slice(2), onNews: say });
say({ kind: 'open', interfaces: node.interfaces });
process.once('SIGTERM', () => void node.close().then(() => process.exit(0)));
for await (const line of readLines(Bun.stdin.stream())) {
  const order: MdnsOrder = JSON.parse(line);
  if ('publish' in order) node.publish(order.publish);
  else if ('browse' in order) node.browse(order.browse);
  else say({ kind: order.tell, [order.tell]: node[order.tell] });
}
