import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';

export type StoreFault =
  | { kind: 'none' }
  /** Every request gets this answer. */
  | { kind: 'status'; status: number; headers?: Record<string, string> }
  /** Every request is accepted and never answered. */
  | { kind: 'silence' }
  /** Every connection breaks, half of them after the store has processed the request. */
  | { kind: 'reset' }
  /** Every request waits before it reaches the store. */
  | { kind: 'slow'; ms: number };

/** A proxy in front of a store that disturbs the traffic according to `fault`. */
export class StoreProxy {
  fault: StoreFault = { kind: 'none' };
  /** Requests that the current fault has hit. */
  hits = 0;
  readonly #target: string;
  readonly #server = createServer((message, response) => {
    void this.#take(message, response).catch(() => response.destroy());
  });

  private constructor(target: string) {
    this.#target = target;
  }

  static async start(target: string): Promise<StoreProxy> {
    const proxy = new StoreProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #take(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const { fault } = this;
    const target = this.#target;
    const body = Buffer.concat(await Array.fromAsync(message as AsyncIterable<Buffer>));
    if (fault.kind !== 'none') this.hits += 1;
    switch (fault.kind) {
      case 'none':
        return forward(message, body, response, target);
      case 'status': {
        const answer = JSON.stringify({ status: { error: 'spoiled by the test' }, time: 0 });
        response
          .writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers })
          .end(answer);
        return;
      }
      case 'silence':
        return;
      case 'reset':
        if (this.hits % 2 === 0) await forward(message, body, undefined, target);
        message.socket.resetAndDestroy();
        return;
      case 'slow':
        await setTimeout(fault.ms);
        return forward(message, body, response, target);
    }
  }
}

/** Forwards the request and its answer; without a `response`, the answer is read and dropped. */
function forward(
  { method, url = '/', headers }: IncomingMessage,
  body: Buffer,
  response: ServerResponse | undefined,
  target: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onward = request(new URL(url, target), { method, headers, agent: false }, (answer) => {
      if (response === undefined) answer.resume();
      else {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      }
      answer.once('end', resolve);
      answer.once('error', reject);
    });
    onward.once('error', reject);
    onward.end(body);
  });
}
