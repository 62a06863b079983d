import { afterAll, beforeAll, expect, test } from 'vitest';
import { Embedmill } from '../embedmill.ts';
import { measureLoad } from '../load.ts';

/** A short load; `npm run bench -- load` is the long one. */
let mill: Embedmill;
beforeAll(async () => {
  // Fewer concurrent requests than clients, so that some must be told to come again.
  mill = await Embedmill.up({ env: { EMBEDMILL_API_MAX_REQUESTS: '32' } });
});
afterAll(() => mill.stop());

test('200 clients beside a bulk job get hits or a 429 that says when to come again, and nothing breaks', async () => {
  const { processes } = await mill.state();
  const report = await measureLoad(mill, { clients: 200, seconds: 8, documents: 20_000 });
  process.stdout.write(`${JSON.stringify(report)}\n`);
  const { answers, broken, refusedWithoutRetryAfter, memory, bulk } = report;
  expect(answers['2xx']).toBeGreaterThan(0);
  expect(answers['429']).toBeGreaterThan(0);
  expect({ '4xx': answers['4xx'], '5xx': answers['5xx'], broken }).toEqual({ '4xx': 0, '5xx': 0, broken: 0 });
  expect(refusedWithoutRetryAfter).toBe(0);
  expect(memory.peak - memory.before).toBeLessThan(200);
  expect(bulk.done).toBeGreaterThan(0);
  expect(['running', 'completed']).toContain(bulk.state);
  expect((await mill.state()).processes).toEqual(processes);
  expect((await mill.call('/readyz')).status).toBe(200);
});
