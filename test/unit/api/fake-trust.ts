/** Trust in memory for tests of the routes: a token is `role:name`, and what is asked is kept for the test to look at. */

import type { Identity } from '../../../src/api/access.ts';
import type { Refusal, Trust } from '../../../src/api/trust.ts';
import type {
  ApprovalView,
  CreatedInvite,
  CreatedToken,
  InviteRequest,
  InviteView,
  TokenRequest,
  TokenView,
} from '../../../src/api/trust-schemas.ts';
import { OctasklyError } from '../../../src/base/errors.ts';
import { type Actor, type AuditEntry, type AuditFinding, roles } from '../../../src/core/trust.ts';
import type { AuditFilter } from '../../../src/ports/store.ts';

const at = '2026-05-01T12:00:00.000Z';

export const approval: ApprovalView = {
  id: 'p-1',
  code: '012345',
  name: 'pi-3',
  address: '10.0.0.7:40000',
  platform: 'linux',
  arch: 'arm64',
  version: '0.1.0',
  fingerprint: 'ab'.repeat(32),
  asked_at: at,
  expires_at: at,
};

function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new OctasklyError('not_found', `There is no ${what}.`);
  return value;
}

export class FakeTrust implements Trust {
  readonly logins: Actor[] = [];
  readonly refusals: Refusal[] = [];
  readonly actions: string[] = [];
  readonly filters: { filter: AuditFilter; limit: number; after: number; newestFirst?: boolean }[] = [];
  tokenViews: TokenView[] = [];
  inviteViews: InviteView[] = [];
  waiting: ApprovalView[] = [approval];
  entries: AuditEntry[] = [];
  finding: AuditFinding = { ok: true, entries: 0 };
  /** Tokens of these names do not hold any more. */
  readonly revoked = new Set<string>();
  /** How often a token was judged. */
  verified = 0;

  verifyToken(token: string): Identity {
    this.verified++;
    const [given, name] = token.split(':');
    const role = roles.find((each) => each === given);
    if (name === undefined || role === undefined || this.revoked.has(name))
      return { ok: false, reason: 'The token is not valid.' };
    return { ok: true, name, role };
  }
  noteLogin(actor: Actor): void {
    this.logins.push(actor);
  }
  noteRefusal(refusal: Refusal): void {
    this.refusals.push(refusal);
  }

  async createToken(request: TokenRequest, actor: Actor): Promise<CreatedToken> {
    this.actions.push(`token ${request.name} by ${actor.name}`);
    const { name, role } = request;
    const view = { id: `t-${this.tokenViews.length + 1}`, name, role, created_at: at, revoked_at: null };
    const valid: TokenView = { ...view, status: 'valid', expires_at: at };
    this.tokenViews.push(valid);
    return { ...valid, token: `${role}:${name}` };
  }
  tokens(): readonly TokenView[] {
    return this.tokenViews;
  }
  async revokeToken(idOrName: string, actor: Actor): Promise<TokenView> {
    const view = required(
      this.tokenViews.find(({ id, name }) => id === idOrName || name === idOrName),
      `token "${idOrName}"`,
    );
    this.actions.push(`revoke ${view.id} by ${actor.name}`);
    return { ...view, status: 'revoked', revoked_at: at };
  }

  async createInvite(request: InviteRequest, actor: Actor): Promise<CreatedInvite> {
    this.actions.push(`invite ${request.name ?? '?'} by ${actor.name}`);
    const view: InviteView = {
      id: `i-${this.inviteViews.length + 1}`,
      name: request.name ?? null,
      status: 'valid',
      uses: 0,
      uses_max: request.uses,
      created_at: at,
      created_by: actor.name,
      expires_at: at,
    };
    this.inviteViews.push(view);
    return {
      ...view,
      token: 'octa1-secret',
      fingerprint: 'cd'.repeat(32),
      addresses: ['10.0.0.1:7878'],
      install: 'curl',
      install_windows: 'irm',
      install_works: false,
      install_problem: 'It works here only.',
      install_targets: ['linux-x64'],
      install_sha256: 'cd'.repeat(32),
    };
  }
  invites(): readonly InviteView[] {
    return this.inviteViews;
  }
  async revokeInvite(id: string, actor: Actor): Promise<InviteView> {
    const view = required(
      this.inviteViews.find((each) => each.id === id),
      `invite "${id}"`,
    );
    this.actions.push(`revoke ${id} by ${actor.name}`);
    return { ...view, status: 'revoked' };
  }

  approvals(): readonly ApprovalView[] {
    return this.waiting;
  }
  async approve(codeOrId: string, actor: Actor): Promise<ApprovalView> {
    const found = this.#waiting(codeOrId);
    this.actions.push(`approve ${found.id} by ${actor.name}`);
    return found;
  }
  async reject(codeOrId: string, actor: Actor): Promise<ApprovalView> {
    const found = this.#waiting(codeOrId);
    this.actions.push(`reject ${found.id} by ${actor.name}`);
    return found;
  }
  #waiting(codeOrId: string): ApprovalView {
    return required(
      this.waiting.find(({ code, id, name }) => [code, id, name].includes(codeOrId)),
      `device "${codeOrId}" that waits`,
    );
  }

  async kick(workerId: string, actor: Actor): Promise<void> {
    this.actions.push(`kick ${workerId} by ${actor.name}`);
  }
  async rotateSecret(graceMs: number, actor: Actor): Promise<number> {
    this.actions.push(`rotate ${graceMs} by ${actor.name}`);
    return Date.parse(at) + graceMs;
  }

  audit(filter: AuditFilter, page: { limit: number; after: number; newestFirst?: boolean }): readonly AuditEntry[] {
    this.filters.push({ filter, ...page });
    return this.entries.filter(({ id }) => id > page.after).slice(0, page.limit);
  }
  verifyAudit(): AuditFinding {
    return this.finding;
  }
}
