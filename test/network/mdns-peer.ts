/** Multicast DNS of the product in a process of its own on a host of a test network, told and asked by the test. */

import { join } from 'node:path';
import { z } from 'zod';
import type { MdnsService } from '../../src/discovery/mdns/contract.ts';
import { until } from '../e2e/site.ts';
import type { MdnsOrder } from './mdns-node.ts';
import type { Host, Inside } from './namespaces.ts';

const foundSchema = z.object({
  instance: z.string(),
  host: z.string(),
  port: z.number(),
  txt: z.record(z.string(), z.string()),
  addresses: z.array(z.object({ address: z.string(), interfaceName: z.string() })),
});
export type Found = z.infer<typeof foundSchema>;

const lineSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('open'), interfaces: z.array(z.string()) }),
  z.object({ kind: z.literal('established'), instance: z.string(), host: z.string() }),
  z.object({ kind: z.literal('renamed'), from: z.string(), to: z.string() }),
  z.object({ kind: z.literal('found'), service: foundSchema }),
  z.object({ kind: z.literal('lost'), instance: z.string() }),
  z.object({ kind: z.literal('counts'), counts: z.record(z.string(), z.number()) }),
  z.object({ kind: z.literal('interfaces'), interfaces: z.array(z.string()) }),
]);
type Line = z.infer<typeof lineSchema>;

/** The service type the product announces. */
export const serviceType = '_octaskly._tcp';

/** A service as a dispatcher would announce it. */
export function serviceOf(name: string, port = 7070): MdnsService {
  return { instance: name, type: serviceType, host: name, port, txt: { txtvers: '1', id: name, role: 'dispatcher' } };
}

export class MdnsPeer {
  readonly process: Inside;

  /** Starts it; what it is to do follows at once. */
  constructor(
    host: Host,
    {
      publish,
      browse = false,
      interfaces = [],
      preload = [],
    }: {
      publish?: MdnsService;
      browse?: boolean;
      interfaces?: readonly string[];
      /** Files of this folder that are loaded before. */
      preload?: readonly string[];
    } = {},
  ) {
    const before = preload.flatMap((file) => ['--preload', join(import.meta.dir, file)]);
    this.process = host.start([process.execPath, ...before, join(import.meta.dir, 'mdns-node.ts'), ...interfaces]);
    if (publish !== undefined) this.order({ publish });
    if (browse) this.order({ browse: serviceType });
  }

  order(order: MdnsOrder): void {
    this.process.write(JSON.stringify(order));
  }

  /** What it told so far, with when: steady ms of this process. */
  private told(): readonly (readonly [Line, number])[] {
    const { lines, times } = this.process;
    const foreign = lines.find((line) => !line.startsWith('{'));
    if (foreign !== undefined) throw new Error(`the process failed: ${lines.join('\n')}`);
    return lines.map((line, index) => [lineSchema.parse(JSON.parse(line)), times[index] ?? 0]);
  }

  /** Waits for something it tells, after the instant `since`; gives it, and when it came: steady ms of this process. */
  async tells<Kind extends Line['kind']>(
    kind: Kind,
    fits: (line: Extract<Line, { kind: Kind }>) => boolean = () => true,
    { since = 0, withinMs = 15_000 } = {},
  ): Promise<Extract<Line, { kind: Kind }> & { at: number }> {
    const isIt = (line: Line): line is Extract<Line, { kind: Kind }> => line.kind === kind;
    const search = (): (Extract<Line, { kind: Kind }> & { at: number }) | undefined =>
      this.told().flatMap(([line, at]) => (at >= since && isIt(line) && fits(line) ? [{ ...line, at }] : []))[0];
    await until(`it tells ${kind}`, () => search() !== undefined, {
      withinMs,
      details: () => `; it told: ${this.process.lines.join('\n')}`,
    });
    const found = search();
    if (found === undefined) throw new Error('what was told is gone');
    return found;
  }

  /** Waits until a service is found that fits; ms it took since `since`, which is when the process started at first. */
  async finds(
    instance: string,
    fits: (service: Found) => boolean = () => true,
    since = this.process.startedAt,
  ): Promise<{ readonly service: Found; readonly tookMs: number }> {
    const { service, at } = await this.tells(
      'found',
      (each) => each.service.instance === instance && fits(each.service),
      {
        since,
      },
    );
    return { service, tookMs: at - since };
  }

  /** Its counts as they are now. */
  async counts(): Promise<Readonly<Record<string, number>>> {
    const since = performance.now();
    this.order({ tell: 'counts' });
    return (await this.tells('counts', undefined, { since })).counts;
  }
}

/** The addresses of a service, without zones and interfaces. */
export function addressesOf({ addresses }: Found): readonly string[] {
  return addresses.map(({ address }) => address);
}
