import { setTimeout } from 'node:timers/promises';
import type { Attacked } from './attacked.ts';

/** How long something that was asked again and again took, in milliseconds. */
export interface Latency {
  asked: number;
  /** Not answered with 200. */
  failed: number;
  p50: number;
  p99: number;
  max: number;
}

/** What others see of the server while something is done to it. */
export interface Seen {
  /** The victim's searches, one after the other. */
  victim: Latency;
  /** `/healthz`, whose delay is that of the event loop. */
  health: Latency;
  /** The most memory that the API had meanwhile, beyond what it had before; in megabytes. */
  memoryMB: number;
  /** The longest stretch of its event loop, in milliseconds of processor time, which no other process can lengthen. */
  stretchMs: number;
  seconds: number;
}

const QUESTIONS = ['a river in winter', 'bread and a song', 'the light on a bridge'];

/** Looks at a server as a victim and as a probe do, while `work` lasts. */
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

/** Asks again after each answer and a pause, until it is ended. */
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
