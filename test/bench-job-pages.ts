/**
 * What pages of jobs cost, with this many jobs in a real Redis: CPU time of this process and of Redis per page, and the
 * memory of a job in Redis.
 *
 *     node test/bench-job-pages.ts 10000
 */
import { Redis } from 'ioredis';
import { profileSchema, type TenantId } from '@embedmill/jobs';
import { startTestRedis } from '@embedmill/redis-server';
import { newRecord } from '../libs/queue/src/ingest-record.ts';
import { listsOf, placeOf } from '../libs/queue/src/job-index.ts';
import { JobList, type JobSelection } from '../libs/queue/src/job-list.ts';
import { INGEST_QUEUE, newJobId } from '../libs/queue/src/names.ts';
import { openBroker } from '../libs/queue/src/open-broker.ts';

const PAGES = 200;
const count = Number(process.argv[2] ?? 10_000);
const { url, stop } = await startTestRedis();
const broker = await openBroker({ redisUrl: url });
const redis = new Redis(url);
const figure = async (section: string, name: string): Promise<number> =>
  Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(await redis.info(section))?.[1]);

const collection = {
  name: 'docs',
  profile: profileSchema.parse({}),
  dims: 384,
  vector: 'dense' as const,
  createdAt: new Date(0).toISOString(),
};
const queue = broker.queues.get(INGEST_QUEUE);
const before = await figure('memory', 'used_memory');
let listed = 0;
for (let n = 0; n < count; n += 1000) {
  const records = Array.from({ length: Math.min(1000, count - n) }, (_, at) => ({
    ...newRecord(
      {
        id: newJobId(),
        collection,
        source: { kind: 'file' as const, uri: `file:///spool/${n + at}`, size: 1, modified: 0 },
        label: 'upload',
        digest: 'd',
        retryOf: null,
        purpose: 'ingest' as const,
        ...((n + at) % 3 === 0 && { tenant: 'acme' as TenantId }),
      },
      's',
      n + at,
    ),
    state: (n + at) % 100 === 0 ? ('failed' as const) : ('completed' as const),
  }));
  const jobs = records.map((data) => ({
    name: 'ingest',
    data,
    opts: { jobId: data.id, timestamp: Date.now() },
  }));
  await queue.addBulk(jobs);
  const added = await figure('memory', 'used_memory');
  for (const { data, opts } of jobs)
    await broker.list({ place: placeOf(data.id, opts.timestamp), from: [], to: listsOf(data) });
  listed += (await figure('memory', 'used_memory')) - added;
}
const all = (await figure('memory', 'used_memory')) - before;
process.stdout.write(
  `${count} jobs: ${Math.round(all / count)} bytes a job in Redis, ${Math.round(listed / count)} of them for lists\n`,
);

const list = new JobList(broker);
for (const [name, selection] of Object.entries<JobSelection>({
  'the newest 50': { limit: 50 },
  '50 of a tenant that failed': { limit: 50, tenant: 'acme', state: 'failed' },
  'a text that none has': { limit: 50, text: 'nowhere' },
})) {
  await list.page(selection);
  const redisBefore = await redisCpu();
  const own = process.cpuUsage();
  for (let n = 0; n < PAGES; n += 1) await list.page(selection);
  const { user, system } = process.cpuUsage(own);
  const ms = (user + system) / 1000 / PAGES;
  const redisMs = ((await redisCpu()) - redisBefore) / PAGES;
  process.stdout.write(`${name}: ${ms.toFixed(1)} ms, Redis ${redisMs.toFixed(1)} ms a page\n`);
}
redis.disconnect();
await broker.close();
await stop();

async function redisCpu(): Promise<number> {
  return 1000 * ((await figure('cpu', 'used_cpu_user')) + (await figure('cpu', 'used_cpu_sys')));
}
