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
    /** What a body of JSON may have in it, where that is more than usual. */
    json?: JsonLimits;
  }
}

/**
 * How bodies of JSON come in: counted while they come, parsed when they are whole; numbers which no double has are their
 * text, as they are in documents. A large one takes the event loop for
 * some tens of milliseconds; so they are parsed one at a time, each principal in its turn, and the loop is left to
 * others afterwards for as long as it took.
 */

/** What is parsed in about a millisecond. */
const SMALL_BYTES = 64 * 1024;
/** The longest pause after a body. */
const LONGEST_REST_MS = 250;

/** How long a body may take to be whole. */
const TOTAL_MS = 120_000;

/** Parses JSON for all routes that are added from now on, in place of Fastify's own way; other types are refused. */
export function parseJsonBodies(server: FastifyInstance, pace: BodyPace = USUAL_PACE): void {
  server.removeAllContentTypeParsers();
  const large = new FairTurns(1);
  const parse = server.getDefaultJsonParser('error', 'error');
  server.addContentTypeParser(
    'application/json',
    async (request: FastifyRequest, body: IncomingMessage): Promise<unknown> => {
      const { bodyLimit, config } = request.routeOptions;
      const bytes = await readBody(body, bodyLimit, new JsonBounds(config.json ?? USUAL_JSON), pace);
      // Clients name the type of a body that they do not send, where a route takes none.
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
    // Fastify's own parser says what is no JSON, or is made to change prototypes.
    void parse(request, text, (error, value) => (result = { error, value }));
    if (result === undefined) throw new EmbedmillError('internal', 'the body was not parsed at once');
    if (result.error !== null) throw result.error;
    // Numbers by the million are token ids, of which a double has all.
    const isPlain = request.routeOptions.config.json !== undefined || !mayHaveInexactNumber(text);
    return isPlain ? result.value : parseJson(text);
  }
}

/**
 * A body in memory, decoded; the limit is one of what it unpacks to. Leaving early leaves the connection whole, so that an answer can be sent. Errors:
 * `payload_too_large` beyond `limit` bytes, `upload_incomplete` where it breaks off, and what the bounds say.
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
