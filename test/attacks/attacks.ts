import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { Job } from '@embedmill/jobs';
import type { Attack, Attacked } from './attacked.ts';
import { HOSTILE_FILES } from './hostile-files.ts';

export const ATTACKS: readonly Attack[] = [
  HOSTILE_FILES,
  {
    name: 'a list of a million token ids, the last of which is invalid',
    run: (on) => count([embed(on, { input: `[${'1,'.repeat(1_000_000)}1.5]` })]),
  },
  {
    name: 'a list of six million numbers',
    run: (on) => count([embed(on, { input: `[${'1,'.repeat(6_000_000)}1]` })]),
  },
  {
    name: 'thirty lists of half a million token ids at once',
    run: (on) => count(times(30, () => embed(on, { input: `[${'1,'.repeat(500_000)}1]` }))),
  },
  {
    name: 'sixty near-duplicates whose clients leave at once',
    run: async (on) => {
      const body = { points: 5000, threshold: 0 };
      const asked = times(60, () =>
        on.json('attacker', 'POST', `/api/v1/collections/${on.collection}/near-duplicates`, body, {
          signal: AbortSignal.timeout(50),
        }),
      );
      const answers = await count(asked);
      await setTimeout(3000);
      return answers;
    },
  },
  {
    name: 'requests for models that no worker serves',
    run: (on) => count(times(40, () => embed(on, { model: 'bge-large-en-v1.5' }))),
  },
  {
    name: 'forty embedding requests of 2048 texts each',
    run: async (on) => {
      const input = JSON.stringify(Array.from({ length: 2048 }, (_, n) => `text ${n} of a flood of words`));
      const end = AbortSignal.timeout(8000);
      return count(times(40, () => embed(on, { input }, end)));
    },
  },
  {
    name: 'forty searches with sixteen long questions, everything explained, a thousand hits deep',
    run: async (on) => {
      const query = 'a river bread bridge song winter light '.repeat(100);
      const queries = Array.from({ length: 16 }, (_, n) => ({ query: `${query} ${n}` }));
      const body = { queries, limit: 1000, explain: true, highlight: true };
      return count(times(40, () => search(on, body, AbortSignal.timeout(15_000))));
    },
  },
  {
    name: 'forty searches that rerank five hundred hits by sixteen questions',
    run: async (on) => {
      const queries = Array.from({ length: 16 }, (_, n) => ({ query: `a river in winter ${n}` }));
      const body = { queries, limit: 500, rerank: { depth: 500 } };
      return count(times(40, () => search(on, body, AbortSignal.timeout(10_000))));
    },
  },
  {
    name: 'forty recommendations by sixty-four examples, the best of each',
    run: async (on) => {
      const positive = Array.from({ length: 64 }, (_, n) => ({ id: `attacker-${n}` }));
      const body = JSON.stringify({ positive, strategy: 'best', limit: 1000 });
      const path = `/api/v1/collections/${on.collection}/recommend`;
      const signal = AbortSignal.timeout(15_000);
      return count(times(40, () => on.json('attacker', 'POST', path, body, { signal })));
    },
  },
  {
    name: 'jobs of two hundred kilobytes, listed forty times at once with a text that none matches',
    run: async (on) => {
      const documents = Array.from({ length: 2000 }, (_, n) => `{"id":"${'x'.repeat(80)}${n}"}`);
      const body = `{"documents":[${documents.join(',')}]}`;
      const path = `/api/v1/collections/${on.collection}/jobs`;
      await count(times(40, () => on.json('attacker', 'POST', path, body)));
      const answers: Record<string, number> = {};
      for (const end = performance.now() + 8000; performance.now() < end;) {
        const list = (n: number) =>
          on.call('attacker', 'GET', n % 4 === 0 ? '/api/v1/usage' : '/api/v1/jobs?text=nowhere&limit=1000');
        for (const [status, times] of Object.entries(
          await count(Array.from({ length: 40 }, (_, n) => list(n))),
        ))
          answers[status] = (answers[status] ?? 0) + times;
      }
      return answers;
    },
  },
  {
    name: 'more slow bodies of uploads and requests than there are slots',
    run: async (on) => {
      const uploads = times(40, () =>
        slowBody(on, `/api/v1/collections/${on.collection}/jobs`, 'application/x-ndjson'),
      );
      const bodies = times(120, () => slowBody(on, '/v1/embeddings', 'application/json'));
      await setTimeout(500);
      const others = await count([
        on.call('victim', 'POST', `/api/v1/collections/${on.collection}/jobs`, {
          body: '{"id":"beside","text":"beside slow uploads"}\n',
          headers: { 'content-type': 'application/x-ndjson' },
        }),
        on.call('operator', 'GET', '/api/v1/jobs'),
        on.call('operator', 'GET', '/metrics'),
      ]);
      await setTimeout(4000);
      for (const socket of [...uploads, ...bodies]) socket.destroy();
      return others;
    },
  },
  {
    name: 'more event streams than one key may have',
    run: async (on) => {
      const job = (await (
        await on.call('attacker', 'POST', `/api/v1/collections/${on.collection}/jobs`, {
          body: '{"id":"watched","text":"x"}\n',
          headers: { 'content-type': 'application/x-ndjson' },
        })
      ).json()) as Job;
      const sockets = times(600, () => {
        const socket = connectTo(on);
        socket.write(head(on, 'GET', `/api/v1/jobs/${job.id}/events`, {}));
        return socket;
      });
      await setTimeout(4000);
      const others = await count([
        on.call('victim', 'GET', '/api/v1/jobs'),
        on.call('operator', 'GET', '/metrics'),
      ]);
      for (const socket of sockets) socket.destroy();
      return others;
    },
  },
  {
    name: 'two thousand connections that never send a request',
    run: async (on) => {
      const sockets = times(2000, () => {
        const socket = connectTo(on);
        socket.write('POST /v1/embeddings HTTP/1.1\r\nhost: x\r\nx-slow: ');
        return socket;
      });
      await setTimeout(4000);
      for (const socket of sockets) socket.destroy();
      return {};
    },
  },
];

function embed(
  on: Attacked,
  { model = 'all-MiniLM-L6-v2', input = '"x"' }: { model?: string; input?: string },
  signal?: AbortSignal,
): Promise<Response> {
  const init = signal === undefined ? {} : { signal };
  return on.json('attacker', 'POST', '/v1/embeddings', `{"model":"${model}","input":${input}}`, init);
}

function search(on: Attacked, body: object, signal: AbortSignal): Promise<Response> {
  return on.json('attacker', 'POST', `/api/v1/collections/${on.collection}/search`, body, { signal });
}

/** A request whose body never ends: it sends one byte per second. */
function slowBody(on: Attacked, path: string, type: string): Socket {
  const socket = connectTo(on);
  socket.write(head(on, 'POST', path, { 'content-type': type, 'content-length': '1000000' }));
  const drip = setInterval(() => socket.write(' '), 1000);
  socket.on('close', () => clearInterval(drip));
  return socket;
}

function connectTo(on: Attacked): Socket {
  const { hostname, port } = new URL(on.url);
  return connect(Number(port), hostname)
    .on('error', () => undefined)
    .resume();
}

function head(on: Attacked, method: string, path: string, headers: Record<string, string>): string {
  const all = { host: new URL(on.url).host, ...on.authorization('attacker'), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

function times<T>(many: number, make: () => T): T[] {
  return Array.from({ length: many }, make);
}

/** Counts the answers by status; `gone` counts requests that were given up or cut off. */
async function count(asked: readonly Promise<Response>[]): Promise<Record<string, number>> {
  const answers: Record<string, number> = {};
  await Promise.all(
    asked.map(async (one) => {
      const status = await one
        .then(
          async (answer) => {
            await answer.arrayBuffer();
            return String(answer.status);
          },
          () => 'gone',
        )
        .catch(() => 'gone');
      answers[status] = (answers[status] ?? 0) + 1;
    }),
  );
  return answers;
}
