import { expect, test } from 'vitest';
import { createMetrics, METRICS, type App, type MetricEntry } from './index.ts';

const BASE_UNITS = ['seconds', 'bytes'];
const entries = Object.values<MetricEntry>(METRICS);
const apps: App[] = ['api', 'worker'];

test.each(entries.map((entry) => [entry.name, entry] as const))(
  '%s follows the naming rules',
  (name, entry) => {
    expect(name).toMatch(/^embedmill_[a-z]+(_[a-z]+)*$/);
    expect(name.endsWith('_total')).toBe(entry.type === 'counter');
    expect(name).not.toMatch(
      /_(milliseconds|ms|minutes|hours|kilobytes|megabytes|percent|count|sum|bucket|info)(_|$)/,
    );
    const stem = name.replace(/_total$/, '');
    if (BASE_UNITS.includes(entry.unit)) expect(stem.endsWith(`_${entry.unit}`)).toBe(true);
    for (const unit of BASE_UNITS) if (stem.endsWith(`_${unit}`)) expect(entry.unit).toBe(unit);
    expect(entry.help).toMatch(/^[A-Z].*\.$/);
    expect(entry.apps.length).toBeGreaterThan(0);
    expect(entry.buckets !== undefined).toBe(entry.type === 'histogram');
    expect([...(entry.buckets ?? [])]).toEqual([...(entry.buckets ?? [])].sort((a, b) => a - b));
  },
);

test('names are unique, and no label can hold an id', () => {
  expect(new Set(entries.map(({ name }) => name)).size).toBe(entries.length);
  for (const { labels } of entries) {
    for (const [label, values] of Object.entries(labels)) {
      expect(label).toMatch(/^[a-z_]+$/);
      expect(label).not.toMatch(/id$|job|document|tenant|request|^le$/);
      expect('atMost' in values ? values.atMost : values.length).toBeLessThanOrEqual(60);
    }
  }
});

test('recorded values are served in the text format, with the metrics of the process', async () => {
  const metrics = createMetrics('worker');
  metrics.documents.add(3, { model: 'm', outcome: 'stored' });
  metrics.documents.add(2, { model: 'm', outcome: 'stored' });
  metrics.chunks.add(7);
  metrics.batchItems.observe(5, { lane: 'bulk' });
  metrics.failures.add(1, { stage: 'read', reason: 'malformed_json' });
  const { contentType, body } = await metrics.render();
  expect(contentType).toContain('text/plain');
  const lines = body.split('\n');
  expect(lines).toContain('embedmill_documents_total{model="m",outcome="stored"} 5');
  expect(lines).toContain('embedmill_chunks_total 7');
  expect(lines).toContain('embedmill_batch_items_bucket{le="4",lane="bulk"} 0');
  expect(lines).toContain('embedmill_batch_items_bucket{le="8",lane="bulk"} 1');
  expect(lines).toContain('embedmill_document_failures_total{stage="read",reason="malformed_json"} 1');
  expect(body).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
  expect(body).toMatch(/^process_resident_memory_bytes \d/m);
});

test.each(apps)('everything that %s serves keeps `_total` for counters', async (app) => {
  const { body } = await createMetrics(app).render();
  const typed = [...body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => ({
    name,
    type,
  }));
  expect(typed.length).toBeGreaterThan(10);
  for (const { name, type } of typed)
    expect({ name, total: name.endsWith('_total') }).toEqual({ name, total: type === 'counter' });
});

test('an app serves the metrics that the table gives it, and two registries do not meet', async () => {
  const api = createMetrics('api');
  const worker = createMetrics('worker');
  expect('chunks' in api).toBe(false);
  expect('httpSeconds' in worker).toBe(false);
  api.jobs.add(1, { source: 'inline' });
  expect((await worker.render()).body).not.toContain('embedmill_jobs_submitted_total');
});

test('a label has no more series than the table allows it', async () => {
  const metrics = createMetrics('worker');
  for (let n = 0; n < 500; n += 1) metrics.tokens.add(1, { model: `model-${n}`, lane: 'bulk' });
  metrics.documents.add(1, { model: 'm', outcome: 'job_0123' as 'stored' });
  const { body } = await metrics.render();
  expect(body.match(/^embedmill_tokens_total\{/gm)).toHaveLength(METRICS.tokens.labels.model.atMost + 1);
  expect(body).toContain('embedmill_tokens_total{model="other",lane="bulk"} 450');
  expect(body).toContain('embedmill_documents_total{model="m",outcome="other"} 1');
  expect(body).not.toContain('job_0123');
});

test('events that have not happened are 0 if their labels are known', async () => {
  const { body } = await createMetrics('worker').render();
  expect(body).toContain('embedmill_shards_total{outcome="returned"} 0');
  expect(body).toContain('embedmill_engine_restarts_total{reason="timeout"} 0');
  expect(body).toContain('embedmill_shard_stalls_total 0');
  expect(body).not.toMatch(/^embedmill_document_failures_total/m);
});

test('gauges are refreshed for each scrape, and a refresh that fails does not fail the scrape', async () => {
  const metrics = createMetrics('api');
  let waiting = 0;
  metrics.beforeScrape(async () => metrics.queueShards.set((waiting += 1), { model: 'm', state: 'waiting' }));
  metrics.beforeScrape(() => Promise.reject(new Error('no queue')));
  await metrics.render();
  expect((await metrics.render()).body).toContain('embedmill_queue_shards{model="m",state="waiting"} 2');
  metrics.queueShards.clear();
  waiting = 0;
  expect((await metrics.render()).body).toContain('embedmill_queue_shards{model="m",state="waiting"} 1');
});
