/** What `doctor -o json` prints: the shapes of its report, which the command line makes itself. */

import { z } from 'zod';

const words = z.array(z.string());
const whole = z.number().int();

const limitsShape = z
  .record(
    z.string(),
    z.object({ enforcement: z.string().describe('`hard`, `per-process`, `watched` or `none`'), mechanism: z.string() }),
  )
  .describe('How each limit of a task is kept, by its name in the API');

export const sandboxShape = z.object({
  platform: z.string(),
  runs_as: z.string().nullable().describe('Account of this program'),
  task_user: z.string().nullable().describe('Account tasks would run as'),
  least: z.string().describe('Least level a task gets'),
  levels: z
    .array(
      z.object({
        level: z.string(),
        mechanism: z.string(),
        network: z.boolean().describe('Tasks have one'),
        limits: limitsShape,
      }),
    )
    .describe('Levels that are there'),
  missing: z.array(
    z.object({ level: z.string(), reason: z.string(), remedy: z.string().nullable().describe('What would help') }),
  ),
});

const hostShape = z.object({
  host: z.string().describe('As it was given'),
  port: whole,
  api_port: whole,
  addresses: words.describe('Of its name; none: the name is not known'),
  unresolved: z.string().nullable().describe('Why the name has no address'),
  address: z.string().nullable().describe('The one all the rest is about'),
  reach: z.string().nullable().describe('`open`, `refused`, `filtered` (no answer) or `unreachable`'),
  api_reach: z.string().nullable().describe('Likewise'),
  handshake: z
    .object({
      outcome: z.string().describe('`open`, or why not'),
      detail: z.string(),
      fingerprint: z.string().nullable(),
    })
    .nullable(),
  clock_ahead_ms: z.number().nullable().describe('Its clock minus this one'),
  peer_of: z.string().nullable().describe('The worker whose port for peers this is'),
  is_self: z.boolean().describe('It is this machine'),
  neighbour: z.boolean().nullable().describe('It answers for its hardware address'),
  beacon_answered: z.boolean().nullable().describe('It answered a question by beacon; null: not asked'),
  same_network: z.string().nullable().describe('The interface in whose network it is'),
});

const beaconsShape = z.object({
  heard: z.array(
    z.object({
      ...{ name: z.string(), role: z.string(), addresses: words, peer_port: whole.nullable() },
      ...{ public_key: z.string(), answered: z.boolean() },
    }),
  ),
  skews: z.array(z.object({ node: z.string(), ahead_ms: z.number() })).describe('Nodes whose clocks are too far off'),
  foreign: whole.describe('Datagrams that no key of this data directory opens'),
});

const findingsShape = z
  .array(
    z.object({
      name: z.string().describe('Stays the same over versions'),
      severity: z.string().describe('`note` is no trouble'),
      about: z.string(),
      sentence: z.string(),
      remedies: z.array(z.object({ where: z.string(), command: z.string() })),
    }),
  )
  .describe('What follows from all of it');

const netShape = z.object({
  platform: z.string().describe('`linux`, `macos`, `windows` or `termux`'),
  program: z.string(),
  protocol_version: whole,
  discovery: z.boolean(),
  wanted_interfaces: words.describe('Those of --interface'),
  beacon_port: whole,
  peer_port: whole,
  ports: z
    .array(z.object({ protocol: z.string(), number: whole, purpose: z.string() }))
    .describe('Ports others must reach'),
  interfaces: z.array(
    z.object({ name: z.string(), addresses: words, left_out: z.string().nullable().describe('Why it is not used') }),
  ),
  multicast: z.array(
    z.object({
      ...{ interface_name: z.string(), address: z.string(), group: z.string(), family: whole.describe('4 or 6') },
      failure: z.string().nullable(),
      heard_own: z.boolean(),
      heard_others: words,
    }),
  ),
  neighbours: z.array(z.object({ address: z.string(), interface_name: z.string(), answers: z.boolean().nullable() })),
  gateway: z.string().nullable(),
  firewalls: z.array(
    z.object({
      ...{ tool: z.string(), state: z.string().describe('`active`, `inactive` or `unreadable`'), opens: words },
      families: z.array(whole).describe('Whose packets it is about: 4, 6'),
      unclear: words.describe('Ports of which it cannot be told'),
      not_understood: words.describe('Rules that may matter'),
      chain: z.string().nullable(),
    }),
  ),
  found: z
    .array(
      z.object({
        ...{ instance: z.string(), host: z.string(), port: whole, addresses: words, interfaces: words },
        ...{ fingerprint: z.string().nullable(), cluster: z.string().nullable(), protocol: whole.nullable() },
      }),
    )
    .describe('Dispatchers, as they say of themselves'),
  belonging: z
    .object({ by: z.string().describe('`secret` or `credential`'), fingerprint: z.string() })
    .nullable()
    .describe('The cluster of this data directory'),
  beacons: beaconsShape.nullable().describe('Null: not listened'),
  host: hostShape.nullable().describe('Null: none was named'),
  findings: findingsShape,
});

const ok = z.boolean().describe('Nothing is wrong');

export const doctorShape = z.object({
  ok,
  sandbox: sandboxShape.describe('As of doctor sandbox'),
  net: netShape.describe('As of doctor net, without ok'),
});
export const doctorNetShape = z.object({ ok, ...netShape.shape });
