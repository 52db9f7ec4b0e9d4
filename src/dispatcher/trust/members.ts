/**
 * Whether a worker that has shown the secret or its credential may join as who it says it is. A key stays with its
 * worker and a worker with its key: an id that anybody could claim would let one node take another's tasks over.
 */

import type { SchedulerState } from '../../core/state.ts';
import type { NodeRecord } from '../../core/trust.ts';
import type { WorkerDeclaration } from '../../core/worker.ts';
import type { DispatcherLink } from '../../ports/links.ts';
import type { RefusalCode } from '../../wire/messages.ts';
import { putOnRecord } from '../record.ts';
import type { Turn } from '../turn.ts';
import type { Registry } from './registry.ts';

export interface JoinRefusal {
  readonly code: RefusalCode;
  /** Sentences for the worker's people. */
  readonly detail: string;
}

interface Parts {
  readonly registry: Registry;
  fingerprintOf(publicKey: string): string;
  /** Why a node of this name may not join; null = it may. */
  nameBarred(name: string): string | null;
}

const newIdentityAdvice =
  "If this device's data directory was copied from another one (a cloned SD card), start it once with --new-identity.";

/**
 * What speaks against the join; or the worker, which is then on record. A name that its invite gives it holds, for as long
 * as the invite is remembered.
 */
export function admitMember(
  turn: Turn,
  link: DispatcherLink,
  declared: WorkerDeclaration,
  parts: Parts,
): JoinRefusal | WorkerDeclaration {
  const { registry } = parts;
  const node = registry.node(link.remoteKey);
  const given = node?.inviteId ? registry.invite(node.inviteId)?.name : null;
  const worker = given ? { ...declared, name: given } : declared;
  const refusal = keyRefusal(link, node) ?? nameRefusal(worker, parts) ?? identityRefusal(turn, link, worker, registry);
  if (refusal !== null) return refusal;
  const now = { publicKey: link.remoteKey, name: worker.name, workerId: worker.id };
  if (node !== null) {
    if (node.name !== worker.name || node.workerId !== worker.id) registry.saveNode(turn, { ...node, ...now });
    return worker;
  }
  const how = { admittedBy: 'secret', inviteId: null, admittedAt: turn.wall, revokedAt: null } as const;
  registry.saveNode(turn, { ...now, ...how });
  putOnRecord(turn, {
    eventType: 'node_joined',
    actor: { name: worker.name, from: link.remote },
    workerId: worker.id,
    details: { by: 'secret', key: parts.fingerprintOf(link.remoteKey) },
  });
  return worker;
}

/** What speaks against the key of a member, whatever it says of itself; null = nothing. */
export function keyRefusal({ admission }: DispatcherLink, node: NodeRecord | null): JoinRefusal | null {
  if (node !== null && node.revokedAt !== null) {
    const at = new Date(node.revokedAt).toISOString();
    const detail = `This node was removed from the cluster at ${at}. To let it in again: 'octaskly invite' on the dispatcher's machine, and here: octaskly worker --join TOKEN`;
    return { code: 'revoked', detail };
  }
  if (node === null && admission.by === 'credential') {
    const detail =
      "The dispatcher has no record of this node (perhaps its database is another one now). Join anew: 'octaskly invite' on its machine, and here: octaskly worker --join TOKEN";
    return { code: 'revoked', detail };
  }
  return null;
}

function nameRefusal({ name }: WorkerDeclaration, { nameBarred }: Parts): JoinRefusal | null {
  const detail = nameBarred(name);
  return detail === null ? null : { code: 'not_allowed', detail };
}

function identityRefusal(
  { state }: { readonly state: SchedulerState },
  link: DispatcherLink,
  worker: WorkerDeclaration,
  registry: Registry,
): JoinRefusal | null {
  for (const other of state.workers.values()) {
    if (other.id === worker.id || other.publicKey !== link.remoteKey || other.session === null) continue;
    const detail = `Another device with the same key is connected from ${other.address} as ${other.name}. ${newIdentityAdvice}`;
    return { code: 'duplicate_id', detail };
  }
  const holder = registry.nodeOfWorker(worker.id);
  if (holder === null || holder.publicKey === link.remoteKey) return null;
  const isConnected = (state.workers.get(worker.id)?.session ?? null) !== null;
  // Who holds the secret may give a worker a new key; who has only a credential of its own may not be somebody else.
  if (link.admission.by === 'secret' && !isConnected) return null;
  const detail = `The id "${worker.id}" belongs to another node with a key of its own (${holder.name}). ${newIdentityAdvice} If it is the same device with a new key, first: octaskly kick ${holder.name}`;
  return { code: 'identity_taken', detail };
}
