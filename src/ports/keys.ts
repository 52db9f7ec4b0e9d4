/** The cluster secret's derived keys, as the dispatcher uses them; the secret itself stays behind this port. */

/** Everything derived from one cluster secret, each by HKDF-SHA256 (RFC 5869) with a label of its own. */
export interface KeySet {
  /** Names the secret without telling it: 8 hex digits. */
  readonly id: string;
  /** Pre-shared key of links of those who hold the secret; 32 bytes. */
  readonly psk: Uint8Array;
  /** Authenticates beacons; 32 bytes. */
  readonly beaconKey: Uint8Array;
  /** Signs notifications: text, as receivers are given it. */
  readonly notifyKey: string;
  /** Pre-shared key of the one node with this public key (hex); 32 bytes. */
  nodePsk(publicKey: string): Uint8Array;
  /** One-time secret of the invite with this id (16 hex digits) and the sums in its token (64, or null); 16 bytes. */
  inviteSecret(id: string, sums?: string | null): Uint8Array;
  /** Signs tokens: HMAC-SHA256. */
  signToken(data: Uint8Array): Uint8Array;
}

/** The present secret and, for a grace time after it was replaced, the one before. */
export interface Keyring {
  /** Keys that are valid at `wallMs`, the present ones first; one or two. */
  valid(wallMs: number): readonly [KeySet, ...KeySet[]];
  /** When the keys before the present ones cease to be valid, wall ms; null = there are none. */
  graceEndsAt(): number | null;
  /**
   * Replaces the secret by a new one of 256 bits; the present one stays valid until `graceEndsAt` (wall ms). What was
   * valid before that ends now. Durable when it returns. Errors: `io`, `storage_unavailable`.
   */
  rotate(graceEndsAt: number): void;
}
