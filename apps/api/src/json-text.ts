import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { EmbedmillError, mayHaveInexactNumber, parseJson } from '@embedmill/jobs';

/**
 * Reads requests' JSON for all routes that are added from now on: as Fastify does, but that numbers which no double has
 * are their text, as they are in documents, and that bytes which are no UTF-8 are refused.
 */
export function readExactJson(server: FastifyInstance): void {
  const parse = server.getDefaultJsonParser('error', 'error');
  server.removeContentTypeParser('application/json');
  server.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    (request: FastifyRequest, body: Buffer, done) => {
      let text: string;
      try {
        text = textOfBody(body);
      } catch (error) {
        return done(error as Error);
      }
      // Fastify's own parser says what is no JSON, or is made to change prototypes.
      void parse(request, text, (error, value: unknown) =>
        done(error, error === null && mayHaveInexactNumber(text) ? parseJson(text) : value),
      );
    },
  );
}

/** A body's text. Errors: `invalid_utf8`. */
export function textOfBody(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) {
    const message = 'the body is not valid UTF-8, which JSON is written in; re-encode it';
    throw new EmbedmillError('invalid_utf8', message);
  }
  return new TextDecoder().decode(bytes);
}
