import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { EmbedmillError } from '@embedmill/jobs';
import { readConsole } from '../http/console-files.ts';
import { sendStatic } from '../http/static-file.ts';

const YEAR_SECONDS = 365 * 24 * 3600;

export interface ConsoleOptions {
  /** The folder of its build. */
  folder: string;
  /** The identity provider of its page, which may connect only to this server and to that provider. */
  issuer: string | undefined;
}

/**
 * The web console: static files, served without authentication because they contain no data. The page asks for a key if
 * the API requires one. All its URLs are relative, so that it works under any path prefix.
 */
export function consoleRoutes({ folder, issuer }: ConsoleOptions): FastifyPluginAsyncZod {
  const files = readConsole(folder);
  // A failure is reported to each request instead.
  files.catch(() => undefined);
  const headers = pageHeaders(issuer);
  return async (server) => {
    server.get('/console', { config: { access: 'open' }, schema: { hide: true } }, async (_request, reply) =>
      reply.redirect('console/', 308),
    );

    server.get<{ Params: { '*': string } }>(
      '/console/*',
      { config: { access: 'open' }, schema: { hide: true } },
      async (request, reply) => {
        const known = await files;
        const path = request.params['*'] || 'index.html';
        const file = known.get(path);
        if (file === undefined) throw known.size === 0 ? notBuilt() : noFile(path);
        reply
          .headers(headers)
          .header('cache-control', file.isHashed ? `public, max-age=${YEAR_SECONDS}, immutable` : 'no-cache');
        return sendStatic(request, reply, file);
      },
    );
  };
}

/** Scripts, styles and connections are limited to this server; images may also come from files that the user dropped. */
function pageHeaders(issuer: string | undefined): Record<string, string> {
  const asked = issuer === undefined ? "'self'" : `'self' ${new URL(issuer).origin}`;
  const policy = [
    "default-src 'self'",
    `connect-src ${asked}`,
    "img-src 'self' data: blob:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ];
  return {
    'content-security-policy': policy.join('; '),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
  };
}

function notBuilt(): EmbedmillError {
  const message =
    'the console is not built: run "npm run build -w apps/console" in embedmill’s folder, and restart the API';
  return new EmbedmillError('not_found', message);
}

function noFile(path: string): EmbedmillError {
  return new EmbedmillError(
    'not_found',
    `the console has no file ${JSON.stringify(path.slice(0, 200))}; the console is at /console/`,
  );
}
