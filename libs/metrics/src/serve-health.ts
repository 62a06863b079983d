import { once } from 'node:events';
import { createServer } from 'node:http';
import { runChecks, type Check } from './health.ts';
import { isLoopback, isOwnHost } from './own-host.ts';

export interface HealthServerOptions {
  host: string;
  /** 0 picks any free port. */
  port: number;
  metrics: { render(): Promise<{ contentType: string; body: string }> };
  /**
   * `started`: whether it has what it needs to begin; asked until it does. `live`: whether it makes progress; if not,
   * it should be restarted. `ready`: whether it can work now.
   */
  started: Record<string, Check>;
  live: Record<string, Check>;
  ready: Record<string, Check>;
}

export interface HealthServer {
  url: string;
  close(): Promise<void>;
}

/**
 * A small server for processes without their own: /metrics, /startupz, /healthz and /readyz. On loopback it refuses web
 * pages that reach it by DNS rebinding. Rejects if the port is taken.
 */
export async function serveHealth(options: HealthServerOptions): Promise<HealthServer> {
  const checks = { '/startupz': options.started, '/healthz': options.live, '/readyz': options.ready };
  const answer = async (path: string): Promise<{ status: number; contentType: string; body: string }> => {
    switch (path) {
      case '/metrics':
        return { status: 200, ...(await options.metrics.render()) };
      case '/startupz':
      case '/healthz':
      case '/readyz': {
        const report = await runChecks(checks[path]);
        const status = report.ok ? 200 : 503;
        return { status, contentType: 'application/json', body: JSON.stringify(report) };
      }
      default:
        return {
          status: 404,
          contentType: 'text/plain',
          body: 'try /metrics, /startupz, /healthz or /readyz\n',
        };
    }
  };
  const isLocal = isLoopback(options.host);
  const server = createServer((request, response) => {
    if (isLocal && !isOwnHost(request.headers.host)) {
      response.writeHead(421, { 'content-type': 'text/plain' }).end('use the address of this server\n');
      return;
    }
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    answer(path).then(
      ({ status, contentType, body }) =>
        response.writeHead(status, { 'content-type': contentType }).end(body),
      () => response.writeHead(500).end(),
    );
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return {
    url: `http://${host}:${address.port}`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
