import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { programPath, promtool, PROMTOOL, WITHOUT_PROMTOOL } from '@embedmill/deploy/promtool';
import type { Job } from '@embedmill/jobs';
import { Embedmill, ndjson } from '../embedmill.ts';
import { PrometheusServer } from './prometheus-server.ts';

/**
 * A real Prometheus scrapes an API and two workers during a bulk job: every panel of every dashboard has data, and
 * every rule can be evaluated.
 */
const PROMETHEUS = programPath('prometheus');
const WITHOUT_PROMETHEUS = PROMETHEUS === undefined ? ' (skipped: no prometheus here)' : '';
const WORKER = fileURLToPath(new URL('../../apps/worker/src/main.ts', import.meta.url));
const DASHBOARDS = fileURLToPath(new URL('../../deploy/grafana/dashboards/', import.meta.url));
const RULES = fileURLToPath(new URL('../../deploy/prometheus/rules/embedmill.yaml', import.meta.url));

/** Panels without data here, and why. */
const WITHOUT_DATA = new Map([
  ['GPU utilization', 'needs the DCGM exporter, and a GPU'],
  ['Tensor cores busy', 'needs the DCGM exporter, and a GPU'],
  ['GPU memory', 'needs the DCGM exporter, and a GPU'],
  ['GPU power', 'needs the DCGM exporter, and a GPU'],
]);

let mill: Embedmill;
let second: ChildProcess | undefined;
let prometheus: PrometheusServer | undefined;
let addresses: { api: string; workers: string[] };

beforeAll(async () => {
  mill = await Embedmill.up();
  const { url, metrics } = await mill.state();
  addresses = {
    api: new URL(url).host,
    workers: [new URL(metrics.worker).host, await startSecondWorker()],
  };
});

afterAll(async () => {
  await prometheus?.stop();
  if (second !== undefined && second.exitCode === null) {
    const exited = once(second, 'exit');
    second.kill('SIGKILL');
    await exited;
  }
  await mill?.stop();
});

/** Starts a second worker with the queue, store and spool of `up`; returns the address of its metrics. */
async function startSecondWorker(): Promise<string> {
  const { redis } = JSON.parse(await readFile(join(mill.data, 'up.json'), 'utf8')) as { redis: string };
  const child = fork(WORKER, [], {
    env: {
      ...process.env,
      REDIS_URL: redis,
      EMBEDMILL_DATA_DIR: mill.data,
      EMBEDMILL_WORKER_PORT: '0',
    },
    execArgv: [],
    stdio: 'ignore',
  });
  second = child;
  const [message] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => Promise.reject(new Error('the second worker ended'))),
  ])) as [{ url: string }];
  return new URL(message.url).host;
}

const words = 'river bank money stone cloud engine table light green seven under walk'.split(' ');
/** More than two workers process in a minute: 40 to 100 words each, all different; one in 200 has no text. */
const documents = Array.from({ length: 60_000 }, (_, n) => {
  const text = Array.from({ length: 40 + (n % 61) }, (__, at) => words[(n * 7 + at * at) % words.length]);
  return n % 200 === 1 ? { id: `d${n}` } : { id: `d${n}`, text: `${n} ${text.join(' ')}` };
});

interface Panel {
  title: string;
  type: string;
  targets?: { expr: string }[];
}

/** Every query of every dashboard, with values for its variables as Grafana would insert them. */
async function queries(): Promise<{ panel: string; expression: string }[]> {
  const files = await readdir(DASHBOARDS);
  const dashboards = await Promise.all(
    files.map(
      async (name) => JSON.parse(await readFile(join(DASHBOARDS, name), 'utf8')) as { panels: Panel[] },
    ),
  );
  return dashboards
    .flatMap(({ panels }) => panels)
    .flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({
        panel: title,
        expression: expr
          .replaceAll(/\$(job|pool|instance)\b/g, '.*')
          .replaceAll('$__rate_interval', '2m')
          .replaceAll(/\$(price|drain_hours)\b/g, '1'),
      })),
    );
}

test.skipIf(PROMTOOL === undefined)(`promtool accepts the metrics${WITHOUT_PROMTOOL}`, async () => {
  for (const address of [addresses.api, ...addresses.workers]) {
    const body = await (await fetch(`http://${address}/metrics`)).text();
    expect(body).toContain('embedmill_');
    expect({ address, ...(await promtool(['check', 'metrics'], body)) }).toEqual({
      address,
      code: 0,
      output: '',
    });
  }
});

test.skipIf(PROMETHEUS === undefined)(
  `every panel has data during a job, and every rule can be evaluated${WITHOUT_PROMETHEUS}`,
  async () => {
    prometheus = await PrometheusServer.start(
      PROMETHEUS!,
      [
        { job: 'embedmill-api', address: addresses.api },
        ...addresses.workers.map((address, n) => ({ job: `embedmill-worker-${n}`, address })),
      ],
      [RULES],
    );
    const server = prometheus;
    const collection = await mill.collection('prometheus');
    const job = await mill.submit(collection, ndjson(documents));

    const all = await queries();
    let waiting = all.filter(({ panel }) => !WITHOUT_DATA.has(panel));
    expect(waiting.length).toBeGreaterThan(50);
    for (const deadline = Date.now() + 75_000; waiting.length > 0; await setTimeout(500)) {
      // Queries give the interactive lane some data.
      await mill.search(collection, { query: 'money of the river' });
      const values = await Promise.all(waiting.map(({ expression }) => server.query(expression)));
      waiting = waiting.filter((_, n) => !values[n]?.some((value) => Number.isFinite(value)));
      if (Date.now() < deadline || waiting.length === 0) continue;
      throw new Error(`without data after 75 s:\n${waiting.map((one) => JSON.stringify(one)).join('\n')}`);
    }
    expect((await mill.json<Job>(`/api/v1/jobs/${job.id}`)).state).toBe('running');

    // Both workers take part.
    expect(await server.query('count(embedmill_engines)')).toEqual([2]);
    await mill.until('both workers have stored documents', async () => {
      const [count = 0] = await server.query('count(embedmill_documents_total{outcome="stored"} > 0)');
      return count === 2;
    });
    const [tokens = 0] = await server.query('sum(embedmill_backlog_tokens)');
    expect(tokens).toBeGreaterThan(0);

    const rules = await server.rules();
    expect(rules.filter(({ name }) => name.startsWith('Embedmill')).length).toBeGreaterThan(10);
    await mill.until('all rules were evaluated', async () =>
      (await server.rules()).every(({ health }) => health !== 'unknown'),
    );
    expect((await server.rules()).filter(({ health }) => health !== 'ok')).toEqual([]);

    // The excused panels really have no data.
    const excused = all.filter(({ panel }) => WITHOUT_DATA.has(panel));
    expect(excused).toHaveLength(WITHOUT_DATA.size);
    for (const { expression } of excused) expect(await server.query(expression)).toEqual([]);

    await mill.json(`/api/v1/jobs/${job.id}/cancel`, {});
    expect(await mill.finished(job)).toMatchObject({ state: 'cancelled' });
  },
);
