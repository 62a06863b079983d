import { setTimeout } from 'node:timers/promises';
import type { Attacked } from './attacked.ts';

/** Latencies of a request that was repeated, in milliseconds. */
export interface Latency {
  asked: number;
  /** Answers other than 200. */
  failed: number;
  p50: number;
  p99: number;
  max: number;
}

/** What others see of the server during an attack. */
export interface Seen {
  /** The victim's searches, one after another. */
  victim: Latency;
  /** `/healthz`, whose latency is that of the event loop. */
  health: Latency;
  /** The API's peak memory during the attack, beyond what it had before; in megabytes. */
  memoryMB: number;
  /** The longest turn of its event loop in milliseconds of CPU time, which other processes cannot lengthen. */
  stretchMs: number;
  seconds: number;
}

const QUESTIONS = ['a river in winter', 'bread and a song', 'the light on a bridge'];

/** Watches a server as a victim and as a probe while `work` runs. */
export async function watched<T>(on: Attacked, work: () => Promise<T>): Promise<{ seen: Seen; result: T }> {
  await on.forgetPeak();
  const before = await on.peakMB();
  const began = performance.now();
  const since = Date.now();
  const victim = again(40, async (n) => {
    const query = QUESTIONS[n % QUESTIONS.length];
    const answer = await on.json('victim', 'POST', `/api/v1/collections/${on.collection}/search`, { query });
    await answer.arrayBuffer();
    return answer.status === 200;
  });
  const health = again(10, async () => {
    const answer = await fetch(new URL('/healthz', on.url));
    await answer.arrayBuffer();
    return answer.status === 200;
  });
  try {
    const result = await work();
    const seen = {
      victim: await victim.end(),
      health: await health.end(),
      memoryMB: Math.max(0, (await on.peakMB()) - before),
      stretchMs: await on.longestStretchMs(since),
      seconds: (performance.now() - began) / 1000,
    };
    return { seen, result };
  } finally {
    await Promise.all([victim.end(), health.end()]);
  }
}

/** Repeats a request after each answer and a pause, until ended. */
function again(pauseMs: number, ask: (n: number) => Promise<boolean>): { end(): Promise<Latency> } {
  const milliseconds: number[] = [];
  let failed = 0;
  let isOver = false;
  const asking = (async () => {
    for (let n = 0; !isOver; n += 1) {
      const began = performance.now();
      const isAnswered = await ask(n).catch(() => false);
      milliseconds.push(performance.now() - began);
      if (!isAnswered) failed += 1;
      await setTimeout(pauseMs);
    }
  })();
  return {
    async end() {
      isOver = true;
      await asking;
      const sorted = milliseconds.toSorted((a, b) => a - b);
      const at = (part: number) =>
        Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
      return { asked: sorted.length, failed, p50: at(0.5), p99: at(0.99), max: at(1) };
    },
  };
}
