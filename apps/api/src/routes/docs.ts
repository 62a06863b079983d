import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { EmbedmillError } from '@embedmill/jobs';
import { readDocsPage } from '../openapi/docs-page.ts';
import { sendStatic, type StaticFile } from '../http/static-file.ts';

/** Allows only this server's scripts, styles and connections; Swagger UI's icons are inlined in its styles. */
const HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-cache',
};

/**
 * Swagger UI for the API's OpenAPI description. Like the description itself, it needs no authentication. Requests tried
 * from the page carry the key that is entered there.
 */
export const docsRoutes: FastifyPluginAsyncZod = async (server) => {
  let page: Promise<ReadonlyMap<string, StaticFile>> | undefined;
  const hidden = { config: { access: 'open' }, schema: { hide: true } } as const;

  server.get('/docs', hidden, async (_request, reply) => reply.redirect('docs/', 308));

  server.get(
    '/docs/*',
    { ...hidden, schema: { ...hidden.schema, params: z.object({ '*': z.string() }) } },
    async (request, reply) => {
      const name = request.params['*'];
      // Compressed on the first request.
      page ??= readDocsPage();
      const file = (await page).get(name);
      if (file === undefined) throw new EmbedmillError('not_found', `there is nothing at /docs/${name}`);
      return sendStatic(request, reply.headers(HEADERS), file);
    },
  );
};
