import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { EmbedmillError } from '@embedmill/jobs';
import { readDocsPage } from '../openapi/docs-page.ts';
import { sendStatic, type StaticFile } from '../http/static-file.ts';

/** Scripts and styles are this server's own, and nobody else is asked; Swagger UI's icons are in its styles. */
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
 * The API's description as a page, with requests to try: for everybody, as the description itself is. A request that is
 * tried carries the key that is given on the page.
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
      // Only once somebody asks for it: it is compressed then.
      page ??= readDocsPage();
      const file = (await page).get(name);
      if (file === undefined) throw new EmbedmillError('not_found', `there is nothing at /docs/${name}`);
      return sendStatic(request, reply.headers(HEADERS), file);
    },
  );
};
