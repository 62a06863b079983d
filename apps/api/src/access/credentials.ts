import type { IncomingHttpHeaders } from 'node:http';
import { EmbedmillError } from '@embedmill/jobs';

/**
 * The key or token of a request: `Authorization: Bearer` (RFC 6750), or `X-API-Key` or `api-key` as clients of other APIs
 * send it. Undefined if there is none. Errors: `unauthenticated` for another scheme.
 */
export function credentialOf(headers: IncomingHttpHeaders): string | undefined {
  const { authorization } = headers;
  if (authorization !== undefined) {
    const token = /^bearer +(\S+) *$/i.exec(authorization)?.[1];
    if (token !== undefined) return token;
    throw new EmbedmillError(
      'unauthenticated',
      'the Authorization header must be "Bearer" and one key; send it as Authorization: Bearer em_…',
    );
  }
  const key = headers['x-api-key'] ?? headers['api-key'];
  return typeof key === 'string' && key !== '' ? key : undefined;
}
