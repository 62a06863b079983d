import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import parseRange from 'range-parser';
import { EmbedmillError, type StoredSource } from '@embedmill/jobs';
import type { Spool } from '@embedmill/sources';

/** Responds with a file, or with the one requested range of it. Errors: `range_not_satisfiable`. */
export function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  { source, etag, type, name }: { source: StoredSource; etag: string; type: string; name: string },
  spool: Pick<Spool, 'readSource'>,
): FastifyReply {
  void reply
    .type(type)
    .header('accept-ranges', 'bytes')
    .header('etag', etag)
    .header('content-disposition', `attachment; filename="${name}"`);
  const { range: asked, 'if-range': ifRange } = request.headers;
  const ranges =
    asked === undefined || (ifRange !== undefined && ifRange !== etag)
      ? undefined
      : parseRange(source.size, asked);
  if (ranges === -1) {
    void reply.header('content-range', `bytes */${source.size}`);
    const message = `the file has ${source.size} bytes; the range ${asked} is outside it`;
    throw new EmbedmillError('range_not_satisfiable', message);
  }
  // For several ranges, or an invalid one, the whole file may be sent (RFC 9110, section 14.2).
  const [one, another] = ranges === undefined || ranges === -2 ? [] : ranges;
  const isPart = one !== undefined && another === undefined;
  const start = isPart ? one.start : 0;
  const length = isPart ? one.end - one.start + 1 : source.size;
  if (isPart) void reply.header('content-range', `bytes ${one.start}-${one.end}/${source.size}`);
  const bytes = Readable.from(spool.readSource(source, start, length), { objectMode: false });
  return reply
    .code(isPart ? 206 : 200)
    .header('content-length', length)
    .send(bytes as never);
}
