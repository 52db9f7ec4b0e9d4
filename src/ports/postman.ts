/** Sending one HTTP request to a stranger's server, for notifications. */

export interface PostRequest {
  /** http or https. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface PostAnswer {
  readonly status: number;
  /** What `Retry-After` asks for, ms; null = nothing. */
  readonly retryAfterMs: number | null;
}

/**
 * Guarantee: at most one request is sent for a call, redirects are not followed, nothing of the answer's body is kept, and
 * the call settles within the postman's time limit. Rejects with an `Error` that says in words why there is no answer.
 */
export interface Postman {
  post(request: PostRequest): Promise<PostAnswer>;
  /** Gives up what is under way; calls reject from then on. Idempotent. */
  close(): void;
}
