/** A fake of a failing server: the test decides the outcome of each request in order. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Answer = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

export class FakeServer {
  readonly url: string;
  readonly seen: IncomingMessage[] = [];
  /** Taken in order; the last one answers all that come after. */
  answers: Answer[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request, response) => {
      this.seen.push(request);
      const answer = this.answers.length > 1 ? this.answers.shift() : this.answers[0];
      void answer?.(request, response);
    });
  }

  static async start(): Promise<FakeServer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FakeServer(server);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Answer =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };

export const problem = (
  code: string,
  status: number,
  retryable: boolean,
  headers: Record<string, string> = {},
): Answer => json({ title: code, status, detail: `${code} indeed`, code, retryable }, status, headers);

/** The connection breaks before an answer. */
export const reset: Answer = (_, response) => void response.destroy();

/** No answer ever comes. */
export const silent: Answer = () => {};
