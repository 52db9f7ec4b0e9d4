/**
 * What `update` is asked for, as data, for the role that has the machine's files: the program itself is none of the command
 * line's. Where the other version comes from is an interface, so that a dispatcher is asked by the client.
 */

/** A dispatcher to take the program from. */
export interface DispatcherOffer {
  readonly url: string;
  /** What it says of its programs cannot be changed on the way: it is this machine's, or its certificate was checked. */
  readonly isTrusted: boolean;
  version(): Promise<string>;
  /** What lies at `/download/NAME`. Error: `not_found`. */
  text(name: string): Promise<string>;
  /** The program for a target. */
  program(target: string): Promise<Response>;
}

export interface ProgramUpdate {
  /** `check`: only say whether there is another version. */
  readonly action: 'update' | 'check' | 'rollback';
  /** An address or a directory; a dispatcher; null for `rollback`. */
  readonly source: string | DispatcherOffer | null;
  /** Only this version; null = any. */
  readonly version: string | null;
  /** Public key of the release: a PEM file, or base64; null = the one built in. */
  readonly key: string | null;
  readonly allowDowngrade: boolean;
  readonly restart: boolean;
  readonly dryRun: boolean;
}
