/**
 * Asks the firewalls of this machine for their state and rules, where their tools are there. Only ever reads. What the
 * answers mean is in `discovery/firewall.ts`.
 */

import { readFileSync } from 'node:fs';
import { firewallsIn, type ToolAnswer, type Wanted } from '../discovery/firewall.ts';
import type { FirewallFacts, FirewallTool } from '../discovery/network-facts.ts';
import { askTool } from './tool-answer.ts';

type Words = readonly [string, ...string[]];

/** Calls that are made together, and their answers read as one. */
interface Question {
  readonly tool: FirewallTool;
  readonly calls: readonly Words[];
}

const linuxQuestions: readonly Question[] = [
  { tool: 'ufw', calls: [['ufw', 'status']] },
  {
    tool: 'firewalld',
    calls: [
      ['firewall-cmd', '--state'],
      ['firewall-cmd', '--list-all'],
    ],
  },
  { tool: 'nftables', calls: [['nft', '-j', 'list', 'ruleset']] },
  { tool: 'iptables', calls: [['iptables', '-S']] },
  { tool: 'ip6tables', calls: [['ip6tables', '-S']] },
];

/** The rules that `doctor` itself proposes are known by their names. */
const windowsCalls: readonly Words[] = [
  ['netsh', 'advfirewall', 'show', 'currentprofile', 'state'],
  ['netsh', 'advfirewall', 'firewall', 'show', 'rule', 'name=Octaskly tcp'],
  ['netsh', 'advfirewall', 'firewall', 'show', 'rule', 'name=Octaskly udp'],
];

function questionsFor(platform: NodeJS.Platform, program: string): readonly Question[] {
  switch (platform) {
    case 'linux':
      return linuxQuestions;
    case 'darwin':
      return [
        {
          tool: 'macos',
          calls: [
            ['socketfilterfw', '--getglobalstate'],
            ['socketfilterfw', '--getappblocked', program],
          ],
        },
      ];
    case 'win32':
      return [{ tool: 'windows', calls: windowsCalls }];
    default:
      return [];
  }
}

/** The firewalls of this machine; `program`: path of this program. Takes `timeoutMs` at most; never rejects. */
export async function readFirewalls(program: string, wanted: Wanted, timeoutMs: number): Promise<FirewallFacts[]> {
  const asked = questionsFor(process.platform, program).map((question) => ask(question, timeoutMs));
  return firewallsIn(
    (await Promise.all(asked)).filter((answer) => answer !== null),
    wanted,
  );
}

async function ask({ tool, calls }: Question, timeoutMs: number): Promise<ToolAnswer | null> {
  const answers = await Promise.all(calls.map((words) => askTool(words, timeoutMs)));
  const [first] = answers;
  if (first === undefined || first === null) return null;
  const more = tool === 'ufw' && first.status !== 0 ? [ufwSettings()] : [];
  return { tool, status: first.status, texts: [...answers.map((answer) => answer?.text ?? ''), ...more] };
}

/** Whether ufw is switched on stands in a file that everybody may read. */
function ufwSettings(): string {
  try {
    return readFileSync('/etc/ufw/ufw.conf', 'utf8');
  } catch {
    return '';
  }
}
