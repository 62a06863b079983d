import { EmbedmillError } from '@embedmill/client';

/** What went wrong, as a page tells it. */
export interface Problem {
  /** A code of the server’s catalogue or of the client’s, or `broken_page`. */
  readonly code: string;
  readonly title: string;
  readonly message: string;
  /** What is wrong at which place of the request. */
  readonly details: readonly { path: string; message: string }[];
}

/** What was thrown, whatever it was. */
export function problemOf(error: unknown): Problem {
  if (error instanceof EmbedmillError) {
    const { code, status, title, message, details } = error;
    return { code, title: title ?? (status === undefined ? 'Error' : `HTTP ${status}`), message, details };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'broken_page', title: 'Error', message, details: [] };
}
