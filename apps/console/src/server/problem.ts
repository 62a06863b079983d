import { EmbedmillError } from '@embedmill/client';

/** A problem as pages show it. */
export interface Problem {
  /** A code from the server’s catalogue or from the client, or `broken_page`. */
  readonly code: string;
  readonly title: string;
  readonly message: string;
  /** The details: what is wrong at which path of the request. */
  readonly details: readonly { path: string; message: string }[];
}

/** Converts whatever was thrown. */
export function problemOf(error: unknown): Problem {
  if (error instanceof EmbedmillError) {
    const { code, status, title, message, details } = error;
    return { code, title: title ?? (status === undefined ? 'Error' : `HTTP ${status}`), message, details };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'broken_page', title: 'Error', message, details: [] };
}
