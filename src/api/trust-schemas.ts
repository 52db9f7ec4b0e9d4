/**
 * Shapes of what the API says and takes about trust: tokens, invites, devices that ask to be approved, the record.
 * Source of validation, types and the OpenAPI document.
 */

import { z } from 'zod';
import { namePattern } from '../core/names.ts';
import { ownNames, roles } from '../core/trust.ts';

/** Seconds of a year and of ten. */
const yearSeconds = 365 * 24 * 3600;

const trustLimits = {
  /** Tokens and invites that are valid at once, each. */
  tokensMax: 10_000,
  invitesMax: 1000,
  inviteUsesMax: 1000,
  inviteSecondsMax: yearSeconds,
  tokenSecondsMax: 10 * yearSeconds,
  graceSecondsMax: yearSeconds,
  auditPageMax: 1000,
} as const;

const nodeNameSchema = z
  .string()
  .regex(namePattern, 'should be up to 64 letters, digits, ".", "_" and "-", beginning with a letter or digit');

export const tokenRequestSchema = z.strictObject({
  name: nodeNameSchema
    .refine((name) => !(ownNames as readonly string[]).includes(name), 'is kept for the owner of the dispatcher')
    .describe('Who the bearer is: subject of the token, owner of the tasks submitted with it'),
  role: z.enum(roles),
  expires_in: z
    .number()
    .int()
    .min(1)
    .max(trustLimits.tokenSecondsMax)
    .default(90 * 24 * 3600)
    .describe('Seconds'),
});

export const tokenSchema = z.object({
  id: z.string(),
  name: z.string(),
  role: z.enum(roles),
  status: z.enum(['valid', 'expired', 'revoked']),
  created_at: z.string(),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
});
export const tokenListSchema = z.object({ tokens: z.array(tokenSchema), next_cursor: z.null() });
export const createdTokenSchema = tokenSchema.extend({ token: z.string().describe('Shown this once') });

export const inviteRequestSchema = z.strictObject({
  uses: z.number().int().min(1).max(trustLimits.inviteUsesMax).default(1),
  expires_in: z.number().int().min(1).max(trustLimits.inviteSecondsMax).default(3600).describe('Seconds'),
  name: nodeNameSchema.optional().describe('Name for the device that uses it; only with one use'),
});

export const inviteSchema = z.object({
  id: z.string(),
  name: z.string().nullable(),
  status: z.enum(['valid', 'used', 'expired', 'revoked']),
  uses: z.number().int().describe('Times it was used'),
  uses_max: z.number().int(),
  created_at: z.string(),
  created_by: z.string(),
  expires_at: z.string(),
});
export const inviteListSchema = z.object({ invites: z.array(inviteSchema), next_cursor: z.null() });
export const createdInviteSchema = inviteSchema.extend({
  token: z.string().describe('The join token, shown this once'),
  fingerprint: z.string().describe("Of the dispatcher's key, SHA-256"),
  addresses: z.array(z.string()).describe('host:port of the dispatcher, as the token names them'),
  install: z.string().describe('Shell line for a new device, which installs and joins'),
  install_windows: z.string().describe('The same for PowerShell on Windows'),
  install_works: z.boolean().describe('False while other devices cannot get the program from here'),
  install_problem: z.string().nullable().describe('Why they cannot, and what to do; null when they can'),
  install_targets: z
    .array(z.string())
    .describe('Kinds of device the program is handed out for, such as linux-arm64: the lines work on these'),
  install_sha256: z.string().describe('SHA-256 of the script that the line fetches, to compare where it matters'),
});

/** A device that asks to be let in. */
export const approvalSchema = z.object({
  id: z.string(),
  code: z.string().describe('Six digits, also shown by the device: compare them'),
  name: z.string(),
  address: z.string(),
  platform: z.string(),
  arch: z.string(),
  version: z.string(),
  fingerprint: z.string().describe("Of the device's key, SHA-256"),
  asked_at: z.string(),
  expires_at: z.string(),
});
export const approvalListSchema = z.object({ approvals: z.array(approvalSchema), next_cursor: z.null() });

export const rotateRequestSchema = z.strictObject({
  grace: z
    .number()
    .int()
    .min(0)
    .max(trustLimits.graceSecondsMax)
    .default(24 * 3600)
    .describe('Seconds for which the present secret, and tokens made with it, stay valid'),
});
export const rotatedSchema = z.object({ grace_ends_at: z.string() });

export const auditEntrySchema = z.object({
  id: z.number().int(),
  timestamp: z.string(),
  event_type: z.string(),
  actor: z.string(),
  worker_id: z.string().nullable(),
  task_id: z.string().nullable(),
  details: z.record(z.string(), z.unknown()),
  previous_hash: z.string(),
});
export const auditListSchema = z.object({
  entries: z.array(auditEntrySchema),
  next_cursor: z.number().int().nullable().describe('Id of the last entry; null on the last page'),
});
export const auditFindingSchema = z.object({
  ok: z.boolean(),
  entries: z.number().int(),
  id: z.number().int().nullable(),
  what: z.enum(['changed', 'removed', 'reordered']).nullable(),
  detail: z.string(),
  removed_through: z
    .number()
    .int()
    .nullable()
    .describe('Entries up to this id were deleted by retention; the check begins after it'),
  removed_at: z.string().nullable().describe('When the last of them were'),
});

/** Who one is to the dispatcher. */
export const identitySchema = z.object({ name: z.string(), role: z.enum(roles) });

/** What a browser keeps of a sign-in; the token itself is in a cookie that no script reads. */
export const sessionSchema = identitySchema.extend({
  by: z.enum(['cookie', 'token', 'place']).describe('place: a call from here needs no token'),
});
export const sessionRequestSchema = z.strictObject({ token: z.string().min(1).max(4096) });

export type SessionView = z.infer<typeof sessionSchema>;
export type TokenRequest = z.infer<typeof tokenRequestSchema>;
export type TokenView = z.infer<typeof tokenSchema>;
export type CreatedToken = z.infer<typeof createdTokenSchema>;
export type InviteRequest = z.infer<typeof inviteRequestSchema>;
export type InviteView = z.infer<typeof inviteSchema>;
export type CreatedInvite = z.infer<typeof createdInviteSchema>;
export type ApprovalView = z.infer<typeof approvalSchema>;
export type AuditEntryView = z.infer<typeof auditEntrySchema>;
export type AuditFindingView = z.infer<typeof auditFindingSchema>;
