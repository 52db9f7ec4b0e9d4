/**
 * Calls about trust: tokens, invites, devices that ask to be approved, the secret, the record. Each is made once: none
 * of them is safe to repeat unseen, and a person waits for the answer.
 */

import { limits } from '../api/limits.ts';
import type {
  ApprovalView,
  AuditEntryView,
  AuditFindingView,
  CreatedInvite,
  CreatedToken,
  InviteRequest,
  InviteView,
  TokenRequest,
  TokenView,
} from '../api/trust-schemas.ts';
import type { Role } from '../core/trust.ts';
import { type Connection, type Exchange, exchange, exchangeJson, query } from './http.ts';

/** Filters of the record; all must hold. `since` is an ISO 8601 instant. */
export interface AuditQuery {
  readonly since?: string | undefined;
  readonly type?: string | undefined;
  readonly actor?: string | undefined;
}

/** Every call throws `OctasklyError`; `forbidden` when the role of the token does not suffice. */
export interface TrustClient {
  /** Who one is to the dispatcher. */
  whoami(): Promise<{ readonly name: string; readonly role: Role }>;
  /** What is left out is the dispatcher's to choose. Its `token` is shown this once. */
  createToken(request: Pick<TokenRequest, 'name' | 'role'> & Partial<TokenRequest>): Promise<CreatedToken>;
  tokens(): Promise<{ readonly tokens: readonly TokenView[]; readonly next_cursor: null }>;
  /** By id, or by a name that one valid token has. */
  revokeToken(idOrName: string): Promise<void>;
  /** What is left out is the dispatcher's to choose. Its `token` is shown this once. */
  createInvite(request: Partial<InviteRequest>): Promise<CreatedInvite>;
  invites(): Promise<{ readonly invites: readonly InviteView[]; readonly next_cursor: null }>;
  revokeInvite(id: string): Promise<void>;
  /** Devices that wait, oldest first. */
  approvals(): Promise<{ readonly approvals: readonly ApprovalView[]; readonly next_cursor: null }>;
  approve(id: string): Promise<void>;
  reject(id: string): Promise<void>;
  /** Shuts a worker out and ends its connection. */
  kick(workerId: string): Promise<void>;
  /** Replaces the cluster secret. `graceSeconds`: how long the old one still holds. */
  rotateSecret(graceSeconds: number): Promise<{ readonly grace_ends_at: string }>;
  /** The whole record, oldest first, read by the page as it is taken. */
  audit(filter?: AuditQuery): AsyncIterable<AuditEntryView>;
  /** Lets the dispatcher check the chain of its record, as long as that takes. */
  verifyAudit(): Promise<AuditFindingView>;
}

async function* readAudit(connection: Connection, filter: AuditQuery): AsyncGenerator<AuditEntryView, void, undefined> {
  let cursor: number | undefined;
  do {
    const path = `/api/v1/audit${query({ ...filter, limit: limits.pageMax, cursor })}`;
    const page = await exchangeJson<{ entries: AuditEntryView[]; next_cursor: number | null }>(connection, {
      method: 'GET',
      path,
    });
    yield* page.entries;
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
}

/** The calls over `connection`. Starts nothing. */
export function trustClient(connection: Connection): TrustClient {
  const at = (kind: 'tokens' | 'invites' | 'workers', id: string, rest = ''): string =>
    `/api/v1/${kind}/${encodeURIComponent(id)}${rest}`;
  const get = <T extends object>(path: string, timeoutMs?: null): Promise<T> =>
    exchangeJson<T>(connection, { method: 'GET', path, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  const post = <T extends object>(path: string, body: object): Promise<T> => {
    const headers = { 'content-type': 'application/json' };
    return exchangeJson<T>(connection, { method: 'POST', path, headers, body: JSON.stringify(body) });
  };
  const order = async (method: Exchange['method'], path: string): Promise<void> => {
    await (await exchange(connection, { method, path })).body?.cancel();
  };
  return {
    whoami: () => get('/api/v1/whoami'),
    createToken: (request) => post<CreatedToken>('/api/v1/tokens', request),
    tokens: () => get('/api/v1/tokens'),
    revokeToken: (idOrName) => order('DELETE', at('tokens', idOrName)),
    createInvite: (request) => post<CreatedInvite>('/api/v1/invites', request),
    invites: () => get('/api/v1/invites'),
    revokeInvite: (id) => order('DELETE', at('invites', id)),
    approvals: () => get('/api/v1/approvals'),
    approve: (id) => order('POST', at('workers', id, '/approve')),
    reject: (id) => order('POST', at('workers', id, '/reject')),
    kick: (workerId) => order('DELETE', at('workers', workerId)),
    rotateSecret: (graceSeconds) => post('/api/v1/secret/rotate', { grace: graceSeconds }),
    audit: (filter = {}) => readAudit(connection, filter),
    verifyAudit: () => get<AuditFindingView>('/api/v1/audit/verify', null),
  };
}
