/**
 * Files a browser is shown: the dashboard, the reader of the API's description, and what they load. Data only; where the
 * bytes come from is the business of whoever makes the table (`roles/pages.ts`). They hold nothing of the cluster, so
 * anybody may have them; what they show they ask the API for, as any other client.
 */

export interface PageFile {
  /** Absolute path of the URL, `/` or `/assets/page-1a2b3c.js`. */
  readonly path: string;
  /** With its charset where it is text. */
  readonly mediaType: string;
  readonly bytes: () => Promise<Uint8Array<ArrayBuffer>>;
  /** Strong entity tag with its quotes (RFC 9110, 8.8.3). */
  readonly etag: string;
  /** Its name changes with its content: browsers may keep it. */
  readonly immutable: boolean;
}

/** Instead of the API's own policy, on pages: what they load and ask comes from here alone, and no script or style stands in them. */
export const pageSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
