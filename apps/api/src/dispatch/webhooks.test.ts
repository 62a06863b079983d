import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { GuardedFetch } from '@embedmill/fetching';
import { type Job, type JobId } from '@embedmill/jobs';
import { consumeWebhooks, WebhookQueue, type WebhookMessage } from '@embedmill/queue';
import { startTestRedis, type TestRedis } from '@embedmill/redis-server';
import { deliverWebhook, isCrossed } from './webhooks.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const job = { id: 'job_1', state: 'completed', failed: 0 } as Job;

interface Received {
  headers: IncomingHttpHeaders;
  body: string;
}

/** A receiver that responds with the given statuses, repeating the last one. */
class Receiver {
  readonly received: Received[] = [];
  statuses: number[] = [204];
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      void textOf(request).then((body) => {
        const status = (this.statuses.length > 1 ? this.statuses.shift() : this.statuses[0]) ?? 204;
        this.received.push({ headers: request.headers, body });
        response.writeHead(status, status === 302 ? { location: this.url } : {}).end();
      });
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  async until(count: number): Promise<void> {
    for (const deadline = Date.now() + 30_000; this.received.length < count; await setTimeout(20)) {
      if (Date.now() > deadline) throw new Error(`${this.received.length} of ${count} came`);
    }
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let redis: TestRedis;
let receiver: Receiver;
let fetching: GuardedFetch;
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  receiver = new Receiver();
  await receiver.start();
  fetching = new GuardedFetch({ allow: ['127.0.0.1'] });
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await fetching.close();
  await receiver.stop();
});

let runs = 0;
/** A separate queue, and a deliverer for it. */
async function opened(pauses = [0.05]): Promise<{ webhooks: WebhookQueue; consume: () => Promise<void> }> {
  const address = { redisUrl: redis.url, prefix: `{webhooks-${(runs += 1)}}` };
  const webhooks = await WebhookQueue.open(address);
  closers.push(() => webhooks.close());
  const consume = async (): Promise<void> => {
    const consumer = await consumeWebhooks(
      address,
      (message: WebhookMessage, signal) => deliverWebhook(message, fetching, signal),
      { onError: () => {}, pauses },
    );
    closers.push(() => consumer.close());
  };
  return { webhooks, consume };
}

const deliveries = async (webhooks: WebhookQueue, met: (state: string) => boolean) => {
  for (const deadline = Date.now() + 30_000; ; await setTimeout(20)) {
    const all = await webhooks.deliveries('job_1' as JobId);
    if (all.length > 0 && all.every(({ state }) => met(state))) return all;
    if (Date.now() > deadline) throw new Error(JSON.stringify(all));
  }
};

describe('a webhook', () => {
  it('is signed so that the standard’s own library verifies it, and says what happened to which job', async () => {
    const { webhooks, consume } = await opened();
    await consume();
    await webhooks.send('job.completed', job, { url: receiver.url, secret: SECRET }, 'submitter');
    await receiver.until(1);
    const [{ headers, body } = { headers: {}, body: '' }] = receiver.received;
    const verified = new StandardWebhook(SECRET).verify(body, headers as Record<string, string>);
    expect(verified).toMatchObject({ type: 'job.completed', data: job });
    const tampered = body.replace('completed', 'cancelled');
    expect(() => new StandardWebhook(SECRET).verify(tampered, headers as Record<string, string>)).toThrow();
  });

  it('is told once, however often the dispatcher says it; the operator is told apart', async () => {
    const { webhooks, consume } = await opened();
    await consume();
    const to = { url: receiver.url, secret: SECRET };
    for (let n = 0; n < 3; n += 1) await webhooks.send('job.completed', job, to, 'submitter');
    await webhooks.send('job.completed', job, to, 'operator');
    await receiver.until(2);
    await webhooks.send('job.completed', job, to, 'submitter');
    await deliveries(webhooks, (state) => state === 'delivered');
    expect(receiver.received.map(({ headers }) => headers['webhook-id']).sort()).toEqual([
      'job_1-completed',
      'job_1-completed-operator',
    ]);
  });

  it('that was not taken is tried again with the same id, also by another process', async () => {
    const { webhooks, consume } = await opened();
    receiver.statuses = [500, 429, 302, 204];
    await webhooks.send('job.failed', job, { url: receiver.url, secret: SECRET }, 'submitter');
    await consume();
    await receiver.until(2);
    await closers.pop()?.();
    await consume();
    const [done] = await deliveries(webhooks, (state) => state === 'delivered');
    expect(done).toMatchObject({ tries: 4, lastError: null, type: 'job.failed' });
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id']))).toEqual(
      new Set(['job_1-failed']),
    );
  });

  it('waits for its next try, and says why and when', async () => {
    const { webhooks, consume } = await opened([3600]);
    receiver.statuses = [503];
    await consume();
    await webhooks.send('job.completed', job, { url: receiver.url, secret: SECRET }, 'submitter');
    await receiver.until(1);
    for (const deadline = Date.now() + 30_000; ; await setTimeout(20)) {
      const [one] = await webhooks.deliveries('job_1' as JobId);
      if (one?.lastError !== null && one?.nextTryAt !== null) {
        expect(one).toMatchObject({ state: 'waiting', tries: 1 });
        expect(one?.lastError).toContain('503');
        expect(Date.parse(one?.nextTryAt ?? '')).toBeGreaterThan(Date.now());
        break;
      }
      if (Date.now() > deadline) throw new Error(JSON.stringify(one));
    }
  });

  it('ends when the receiver is gone for good, and where its address is internal', async () => {
    const { webhooks, consume } = await opened();
    receiver.statuses = [410];
    await consume();
    await webhooks.send('job.completed', job, { url: receiver.url, secret: SECRET }, 'submitter');
    expect(await deliveries(webhooks, (state) => state === 'failed')).toMatchObject([{ tries: 1 }]);

    fetching = new GuardedFetch();
    const other = await opened();
    await other.consume();
    await other.webhooks.send('job.completed', job, { url: receiver.url, secret: SECRET }, 'submitter');
    const [refused] = await deliveries(other.webhooks, (state) => state === 'failed');
    expect(refused?.lastError).toContain('EMBEDMILL_FETCH_ALLOW');
    expect(receiver.received).toHaveLength(1);
  });
});

it('a threshold is a number of documents, or a share below 1 of all', () => {
  expect(isCrossed(3, { failed: 2, documents: 1000 })).toBe(false);
  expect(isCrossed(3, { failed: 3, documents: 1000 })).toBe(true);
  expect(isCrossed(0.05, { failed: 49, documents: 1000 })).toBe(false);
  expect(isCrossed(0.05, { failed: 50, documents: 1000 })).toBe(true);
  expect(isCrossed(0.05, { failed: 0, documents: 0 })).toBe(false);
});
