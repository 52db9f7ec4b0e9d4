/**
 * What the REST routes about trust need of a dispatcher. Everything durable is durable when a promise resolves, and on
 * record in the same transaction. Errors are `OctasklyError`s.
 */

import type { Actor, AuditFinding } from '../core/trust.ts';
import type { Store } from '../ports/store.ts';
import type { Identity } from './access.ts';
import type {
  ApprovalView,
  CreatedInvite,
  CreatedToken,
  InviteRequest,
  InviteView,
  TokenRequest,
  TokenView,
} from './trust-schemas.ts';

/** Something refused that belongs on record: a call without rights, a token that does not hold, too many calls. */
export interface Refusal {
  /** `login_failed`, `call_refused`, `command_denied`. */
  readonly eventType: string;
  /** Who, as far as that is known: `anonymous` for nobody. */
  readonly actor: string;
  readonly from: string | null;
  /** What was tried, without secrets: method and path, the rule of the deny list. */
  readonly details: Readonly<Record<string, unknown>>;
}

export interface Trust {
  /** Judges a token a caller shows: signature, times, audience, and that it was not revoked. Never throws. */
  verifyToken(token: string): Identity;
  /** Puts a first use of a token from an address on record; later uses within the hour cost nothing. */
  noteLogin(actor: Actor): void;
  /** Puts a refusal on record; a flood of them is counted and recorded as a number, so that the record does not grow with it. */
  noteRefusal(refusal: Refusal): void;

  /** Errors: `conflict` (too many). */
  createToken(request: TokenRequest, actor: Actor): Promise<CreatedToken>;
  tokens(): readonly TokenView[];
  /** By id, or by name all valid ones that have it; resolves with the one made last. Error: `not_found`. */
  revokeToken(idOrName: string, actor: Actor): Promise<TokenView>;

  /** Errors: `invalid` (a name and several uses), `conflict` (too many). */
  createInvite(request: InviteRequest, actor: Actor): Promise<CreatedInvite>;
  invites(): readonly InviteView[];
  /** Error: `not_found`. */
  revokeInvite(id: string, actor: Actor): Promise<InviteView>;

  /** Devices that wait to be approved, oldest first. */
  approvals(): readonly ApprovalView[];
  /** By code or id; never by name, which a device chooses itself. Errors: `not_found`, `conflict` (two have the code). */
  approve(codeOrId: string, actor: Actor): Promise<ApprovalView>;
  reject(codeOrId: string, actor: Actor): Promise<ApprovalView>;

  /** Shuts a worker's key out and ends its link at once; what it ran is lost. Error: `not_found`. */
  kick(workerId: string, actor: Actor): Promise<void>;

  /** Replaces the cluster secret; the old one is valid for `graceMs` more. Resolves with the end of that, wall ms. */
  rotateSecret(graceMs: number, actor: Actor): Promise<number>;

  /** As `Store.audit`. */
  audit: Store['audit'];
  verifyAudit(): AuditFinding;
}
