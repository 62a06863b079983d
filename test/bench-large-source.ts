/**
 * `npm run bench -- source [LINES]`: the seconds from the end of a large upload until its first shards are dispatched, and until
 * the first of them is settled: with the usual sections, and with the source scanned as a whole.
 */
import { setTimeout } from 'node:timers/promises';
import type { Job } from '@embedmill/jobs';
import { Embedmill } from './embedmill.ts';

const lines = Number(process.argv[2] ?? 2_000_000);

function* uploaded(): Generator<Buffer> {
  const atOnce = 10_000;
  for (let from = 0; from < lines; from += atOnce) {
    const some = Array.from({ length: Math.min(atOnce, lines - from) }, (_, n) => from + n);
    yield Buffer.from(
      some.map((n) => `{"id":"doc-${n}","text":"short text ${n} of a large source"}\n`).join(''),
    );
  }
}

async function measure(env: Record<string, string>): Promise<string> {
  const mill = await Embedmill.up({ env });
  try {
    await mill.json('/api/v1/collections', { name: 'large', profile: { model: 'static-minilm-256' } });
    const response = await mill.call('/api/v1/collections/large/jobs', {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: ReadableStream.from(uploaded()),
      duplex: 'half',
    });
    const { id } = (await response.json()) as Job;
    const startedAt = performance.now();
    const secondsUntil = async (met: (job: Job) => boolean): Promise<string> => {
      while (!met(await mill.json<Job>(`/api/v1/jobs/${id}`))) await setTimeout(50);
      return ((performance.now() - startedAt) / 1000).toFixed(1);
    };
    const dispatched = await secondsUntil(({ documents }) => documents > 0);
    const settled = await secondsUntil(({ done }) => done > 0);
    const scanned = await secondsUntil(({ scanned: whole }) => whole);
    await mill.json(`/api/v1/jobs/${id}/cancel`, {});
    return `first shards dispatched after ${dispatched} s, first settled after ${settled} s, all scanned after ${scanned} s`;
  } finally {
    await mill.stop();
  }
}

process.stdout.write(`${lines} lines\n`);
process.stdout.write(`in sections: ${await measure({})}\n`);
process.stdout.write(`as a whole:  ${await measure({ EMBEDMILL_API_SECTION_BYTES: String(1024 ** 4) })}\n`);
