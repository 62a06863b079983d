import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { isOwnHost } from '@embedmill/metrics';

const HOST = '127.0.0.1';
const PATH = '/mcp';

export interface McpHttpOptions {
  port: number;
  /** Answers one request with its key. */
  serverOf: (key: string | undefined) => McpServer;
  onError: (error: unknown) => void;
}

/**
 * Serves MCP over streamable HTTP, only on this machine. There are no sessions: each request has its own server, which calls
 * the API with the request's key. Pages of other sites get nothing, whatever host name they use for this machine.
 */
export async function serveMcpByHttp(
  options: McpHttpOptions,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    answer(request, response, options.serverOf).catch((error: unknown) => {
      options.onError(error);
      if (!response.headersSent)
        refuse(response, 500, 'an internal error occurred; see the output of this command');
      else response.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: HOST, port: options.port, exclusive: true }, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${HOST}:${port}${PATH}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  serverOf: McpHttpOptions['serverOf'],
): Promise<void> {
  const { host, origin, authorization } = request.headers;
  if (!isOwnHost(host))
    return refuse(response, 403, `this server does not accept the host name ${JSON.stringify(host)}`);
  if (origin !== undefined && URL.parse(origin)?.host !== host)
    return refuse(response, 403, `pages of ${JSON.stringify(origin)} may not use this server`);
  if (request.url?.split('?', 1)[0] !== PATH) return refuse(response, 404, `MCP is at ${PATH}`);
  if (request.method !== 'POST') {
    response.setHeader('allow', 'POST');
    return refuse(response, 405, 'this server has no sessions; send each message by POST');
  }
  const server = serverOf(keyOf(authorization));
  const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
  response.once('close', () => void server.close());
  await server.connect(transport);
  await transport.handleRequest(request, response);
}

function keyOf(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
}

/** As a JSON-RPC response to no particular message. */
function refuse(response: ServerResponse, status: number, message: string): void {
  response
    .writeHead(status, { 'content-type': 'application/json' })
    .end(JSON.stringify({ jsonrpc: '2.0', error: { code: -32_000, message }, id: null }));
}
