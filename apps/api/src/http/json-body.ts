import type { IncomingMessage } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { EmbedmillError, mayHaveInexactNumber, parseJson } from '@embedmill/jobs';
import { pacedBytes, USUAL_PACE, type BodyPace } from './body-pace.ts';
import { decodedBytes } from './content-encoding.ts';
import { FairTurns } from './fair-turns.ts';
import { textOfBody } from './json-text.ts';
import { JsonBounds, USUAL_JSON, type JsonLimits } from './json-bounds.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The bounds of a JSON body, if larger than usual. */
    json?: JsonLimits;
  }
}

/**
 * Receives JSON bodies: counted while they arrive, parsed once complete; numbers that a double cannot represent become
 * their text, as in documents. Parsing a large body blocks the event loop for some tens of milliseconds, so bodies are
 * parsed one at a time, principals take turns, and each parse is followed by a pause of the same length.
 */

/** The bytes that are parsed in about a millisecond. */
const SMALL_BYTES = 64 * 1024;
/** The longest pause after a body. */
const LONGEST_REST_MS = 250;

/** How long a body may take to arrive. */
const TOTAL_MS = 120_000;

/** Parses JSON for all routes added from now on, replacing Fastify's own parser; other types are refused. */
export function parseJsonBodies(server: FastifyInstance, pace: BodyPace = USUAL_PACE): void {
  server.removeAllContentTypeParsers();
  const large = new FairTurns(1);
  const parse = server.getDefaultJsonParser('error', 'error');
  server.addContentTypeParser(
    'application/json',
    async (request: FastifyRequest, body: IncomingMessage): Promise<unknown> => {
      const { bodyLimit, config } = request.routeOptions;
      const bytes = await readBody(body, bodyLimit, new JsonBounds(config.json ?? USUAL_JSON), pace);
      // Clients may state the type of an absent body, for routes without one.
      if (bytes.length === 0 && request.routeOptions.schema?.body === undefined) return undefined;
      if (bytes.length <= SMALL_BYTES) return parsed(request, bytes);
      return large.run(request.principal?.name ?? '', undefined, async () => {
        const began = performance.now();
        const value = parsed(request, bytes);
        await setTimeout(Math.min(LONGEST_REST_MS, performance.now() - began));
        return value;
      });
    },
  );

  function parsed(request: FastifyRequest, bytes: Buffer): unknown {
    const text = textOfBody(bytes);
    let result: { error: Error | null; value?: unknown } | undefined;
    // Fastify's own parser reports invalid JSON, and attempts at prototype pollution.
    void parse(request, text, (error, value) => (result = { error, value }));
    if (result === undefined) throw new EmbedmillError('internal', 'the body was not parsed at once');
    if (result.error !== null) throw result.error;
    // Millions of numbers are token ids, which doubles represent exactly.
    const isPlain = request.routeOptions.config.json !== undefined || !mayHaveInexactNumber(text);
    return isPlain ? result.value : parseJson(text);
  }
}

/**
 * A decoded body in memory; the limit applies to the decoded bytes. Leaving early keeps the connection open, so that a
 * response can be sent. Errors: `payload_too_large` beyond `limit` bytes, `upload_incomplete` if it breaks off, and
 * those of the bounds.
 */
export async function readBody(
  body: IncomingMessage,
  limit: number,
  bounds: JsonBounds,
  pace: BodyPace = USUAL_PACE,
): Promise<Buffer> {
  if (Number(body.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    const paced = pacedBytes(body, { totalMs: TOTAL_MS, ...pace });
    for await (const chunk of decodedBytes(paced, body.headers['content-encoding'])) {
      bytes += chunk.length;
      if (bytes > limit) throw tooLarge(limit);
      bounds.push(chunk);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof EmbedmillError) throw error;
    throw new EmbedmillError('upload_incomplete', 'the body ended early; send it again', { cause: error });
  }
  return Buffer.concat(chunks);
}

function tooLarge(limit: number): EmbedmillError {
  return new EmbedmillError('payload_too_large', `the body has more than ${limit} bytes`);
}
