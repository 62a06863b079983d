import { afterAll, beforeAll, expect, test } from 'vitest';
import { STAGES } from '@embedmill/metrics';
import { Embedmill, ndjson } from './embedmill.ts';
import { FakeCollector, type CollectedSpan } from './fake-collector.ts';

let collector: FakeCollector;
let mill: Embedmill;

beforeAll(async () => {
  collector = await FakeCollector.start();
  mill = await Embedmill.up({ env: { EMBEDMILL_OTLP_URL: collector.url } });
});
afterAll(async () => {
  await mill?.stop();
  await collector?.close();
});

const named = (name: string) => collector.spans.filter((span) => span.name === name);

/** The names of a span and its ancestors, up to the root of the trace. */
function pathOf(span: CollectedSpan): string[] {
  const parent = collector.spans.find(({ id }) => id === span.parent);
  return parent === undefined ? [span.name] : [...pathOf(parent), span.name];
}

test('one trace leads from the request through both processes to the stages of a shard', async () => {
  const name = await mill.collection('tracing');
  const caller = { trace: '0af7651916cd43dd8448eb211c80319c', span: 'b7ad6b7169203331' };
  const documents = Array.from({ length: 300 }, (_, n) => ({ id: `d${n}`, text: `the text number ${n}` }));
  const job = await mill.submit(name, ndjson(documents), {
    traceparent: `00-${caller.trace}-${caller.span}-01`,
  });
  await mill.finished(job);
  await mill.until(
    'the spans have come',
    async () => named('ingest job').length > 0 && named('upsert').length > 1,
  );

  const [request] = named('POST /api/v1/collections/:name/jobs');
  expect(request).toMatchObject({
    service: 'embedmill-api',
    trace: caller.trace,
    parent: caller.span,
    attributes: { 'http.response.status_code': 202 },
  });
  const shards = named('shard');
  expect(shards).toHaveLength(2);
  for (const shard of shards) {
    expect(shard).toMatchObject({ service: 'embedmill-worker', trace: caller.trace });
    expect(shard.attributes).toMatchObject({ job: job.id });
    expect(pathOf(shard)).toEqual([request!.name, 'submit job', 'ingest job', 'add shard', 'shard']);
  }
  expect(shards.map(({ attributes }) => attributes['shard']).sort()).toEqual([0, 1]);
  expect(shards.map(({ attributes }) => Number(attributes['documents'])).sort((a, b) => a - b)).toEqual([
    44, 256,
  ]);
  for (const { attributes } of shards) expect(Number(attributes['tokens'])).toBeGreaterThan(44);
  for (const stage of ['read', 'upsert', 'settle']) {
    expect(named(stage).map((span) => pathOf(span).at(-2))).toEqual(['shard', 'shard']);
  }
  expect(collector.faults).toEqual([]);
});

test('a search is a trace of its own, to the worker that embeds its query', async () => {
  const [name] = mill.collections;
  await mill.search(name!, { query: 'text' });
  await mill.until('the spans have come', async () => named('query').length > 0);
  const [query] = named('query');
  expect(query?.service).toBe('embedmill-worker');
  await mill.until('the request’s span has come', async () =>
    named('POST /api/v1/collections/:name/search').some(({ trace }) => trace === query?.trace),
  );
});

test('BullMQ’s timers and the routes that machines poll leave no spans', () => {
  const known =
    /^(GET|POST|PUT|DELETE) \/(api|v1)\/|^(submit job|ingest job|add shard|shard|ask query|query)$/;
  const stages: readonly string[] = STAGES;
  const others = collector.spans.filter(({ name }) => !known.test(name) && !stages.includes(name));
  expect(others.map(({ name }) => name)).toEqual([]);
});
