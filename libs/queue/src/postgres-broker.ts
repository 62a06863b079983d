import {
  PostgresConnection,
  PostgresQueueBackend,
  Queue as BullQueue,
  Worker,
  type PostgresConnectionOptions,
  type Processor,
  type QueueBaseOptions,
} from 'bullmq';
import { Client } from 'pg';
import type {
  Broker,
  BrokerOptions,
  BrokerWorker,
  BrokerWorkerOptions,
  Count,
  HeldJob,
  HeldLook,
  Listing,
  StoredJob,
} from './broker.ts';
import { BullQueues } from './bull-queues.ts';
import { withdrawUnbegun } from './withdrawal.ts';
import { queueUnavailable, within, type PostgresOptions } from './connection.ts';
import { assertAddress, makeTables, ReadyConnection } from './postgres-connection.ts';
import { PostgresListener } from './postgres-listener.ts';
import { ADD_COUNTS, CHANGE_LISTS, countValues } from './postgres-tables.ts';

/** The connections of one broker, and of each of its workers, in addition to the listening one. */
const POOL = 4;
const WORKER_POOL = 2;
/** After this long, nobody waits for a message any more. */
const MESSAGE_SECONDS = 120;

/**
 * The PostgreSQL broker, which uses BullMQ's backend: jobs in tables, and `LISTEN`/`NOTIFY` to wake waiting processes.
 *
 * Missing tables are created. Unlike with Redis, calls fail at once while the server is unavailable; BullMQ's workers
 * retry by themselves.
 */
export class PostgresBroker implements Broker {
  readonly queues: BullQueues;
  readonly #options: {
    connectionString: string;
    schema: string;
    keepAlive: true;
    [setting: string]: unknown;
  };
  readonly #traced: Pick<BrokerOptions, 'telemetry'>;
  readonly #connection: PostgresConnection;
  #listener: PostgresListener | undefined;

  constructor({ postgresUrl }: PostgresOptions, { prefix, ...traced }: BrokerOptions) {
    assertAddress(postgresUrl);
    this.#traced = traced;
    const schema = prefix.replace(/[^A-Za-z0-9_]/g, '');
    this.#options = { connectionString: postgresUrl, schema, connectionTimeoutMillis: 5000, keepAlive: true };
    this.#connection = new PostgresConnection({ ...this.#options, max: POOL, migrate: true });
    this.queues = new BullQueues(
      (name) =>
        // The same class over another backend: only the type of `getBackend`, which nobody calls, differs.
        new BullQueue(
          name,
          { connection: this.#options, ...traced },
          (queue, options: QueueBaseOptions<PostgresConnectionOptions>) =>
            new PostgresQueueBackend(this.#connection, queue, options, false),
        ) as unknown as BullQueue,
    );
  }

  worker<Data, Result>(
    name: string,
    processor: Processor<Data, Result>,
    options: BrokerWorkerOptions,
  ): BrokerWorker {
    return new Worker<Data, Result, string, PostgresQueueBackend, never, PostgresConnectionOptions>(
      name,
      processor,
      { ...options, ...this.#traced, connection: { ...this.#options, max: WORKER_POOL } },
      (queue, workerOptions) =>
        new PostgresQueueBackend(
          new ReadyConnection(workerOptions.connection),
          queue,
          workerOptions,
          true,
          queue,
        ),
    ) as unknown as BrokerWorker;
  }

  async assertUsable(deadlineMs = 10_000): Promise<void> {
    const preparing = this.#connection.waitUntilReady().then(() => makeTables(this.#connection));
    await within(preparing, deadlineMs).catch((error: unknown) => {
      throw queueUnavailable(error);
    });
  }

  async ping(): Promise<void> {
    await this.#rows('SELECT 1');
  }

  memory(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async describe(): Promise<string> {
    const rows = await this.#rows<{ version: string }>("SELECT current_setting('server_version') AS version");
    return `PostgreSQL ${rows[0]?.version ?? ''}`;
  }

  async get(key: string): Promise<string | null> {
    const rows = await this.#rows<{ value: string }>(
      'SELECT value FROM embedmill_value WHERE key = $1 AND expires_at > now()',
      [key],
    );
    return rows[0]?.value ?? null;
  }

  async set(key: string, value: string, seconds: number): Promise<void> {
    await this.#rows(
      `INSERT INTO embedmill_value VALUES ($1, $2, now() + make_interval(secs => $3))
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`,
      [key, value, seconds],
    );
    await this.#rows('DELETE FROM embedmill_value WHERE expires_at < now()');
  }

  async swap(key: string, before: string, value: string, seconds: number): Promise<boolean> {
    const rows = await this.#rows(
      `UPDATE embedmill_value SET value = $3, expires_at = now() + make_interval(secs => $4)
         WHERE key = $1 AND value = $2 AND expires_at > now() RETURNING key`,
      [key, before, value, seconds],
    );
    return rows.length === 1;
  }

  async setIfAbsent(key: string, value: string, seconds: number): Promise<boolean> {
    const rows = await this.#rows(
      `INSERT INTO embedmill_value VALUES ($1, $2, now() + make_interval(secs => $3))
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
           WHERE embedmill_value.expires_at <= now()
         RETURNING key`,
      [key, value, seconds],
    );
    return rows.length === 1;
  }

  async delete(key: string): Promise<void> {
    await this.#rows('DELETE FROM embedmill_value WHERE key = $1', [key]);
  }

  async addCounts(added: readonly Count[], seconds: number): Promise<void> {
    if (added.length === 0) return;
    await this.#rows(`WITH changed AS (SELECT 1) ${ADD_COUNTS}`, countValues(added, seconds));
    await this.#rows('DELETE FROM embedmill_count WHERE expires_at < now()');
  }

  async readCounts(names: readonly string[]): Promise<Record<string, number>[]> {
    const rows = await this.#rows<{ name: string; field: string; value: string }>(
      'SELECT name, field, value FROM embedmill_count WHERE name = ANY($1) AND expires_at > now()',
      [names],
    );
    const byName = new Map(names.map((name): [string, Record<string, number>] => [name, {}]));
    for (const { name, field, value } of rows) {
      const counts = byName.get(name);
      if (counts !== undefined) counts[field] = Number(value);
    }
    return names.map((name) => byName.get(name) ?? {});
  }

  async changeAndCount(
    queue: string,
    id: string,
    change: (data: unknown) => { data: object; added: readonly Count[] } | undefined,
    seconds: number,
  ): Promise<void> {
    for (;;) {
      const [job] = await this.#rows<{ data: string }>(
        'SELECT data::text AS data FROM job WHERE queue = $1 AND id = $2',
        [queue, id],
      );
      const changed = job === undefined ? undefined : change(JSON.parse(job.data));
      if (job === undefined || changed === undefined) return;
      const update = `UPDATE job SET data = $5 WHERE queue = $6 AND id = $7 AND data::text = $8 RETURNING 1`;
      const rows = await this.#rows<{ changed: string }>(
        `WITH changed AS (${update}), counted AS (${ADD_COUNTS} RETURNING 1)
           SELECT count(*) AS changed FROM changed`,
        [...countValues(changed.added, seconds), JSON.stringify(changed.data), queue, id, job.data],
      );
      if (Number(rows[0]?.changed ?? 0) > 0) return;
    }
  }

  async addMember(set: string, member: string): Promise<void> {
    await this.#rows('INSERT INTO embedmill_member VALUES ($1, $2) ON CONFLICT DO NOTHING', [set, member]);
  }

  async members(set: string): Promise<string[]> {
    const rows = await this.#rows<{ member: string }>(
      'SELECT member FROM embedmill_member WHERE set_name = $1',
      [set],
    );
    return rows.map(({ member }) => member);
  }

  /** The row of the last sequence stays locked until the member is added, too. */
  async nextSequence(set: string, member: string, after: number, room = 0): Promise<number> {
    const rows = await this.#rows<{ rank: string }>(
      `WITH next AS (
         INSERT INTO embedmill_sequence
             VALUES (true, greatest($3::bigint + 2, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
               + $4::bigint)
           ON CONFLICT (only_row)
             DO UPDATE SET last = greatest(embedmill_sequence.last + 2 + $4::bigint, excluded.last)
           RETURNING last)
       INSERT INTO embedmill_ranked SELECT $1, $2, last FROM next RETURNING rank`,
      [set, member, after, room],
    );
    return Number(rows[0]?.rank);
  }

  async addRanked(set: string, member: string, rank: number): Promise<void> {
    await this.#rows(
      `INSERT INTO embedmill_ranked VALUES ($1, $2, $3::bigint)
         ON CONFLICT (set_name, member) DO UPDATE SET rank = excluded.rank`,
      [set, member, rank],
    );
  }

  async removeRanked(set: string, member: string): Promise<void> {
    await this.#rows('DELETE FROM embedmill_ranked WHERE set_name = $1 AND member = $2', [set, member]);
  }

  async rankBelow(set: string, rank: number): Promise<number> {
    const rows = await this.#rows<{ rank: string | null }>(
      'SELECT max(rank) AS rank FROM embedmill_ranked WHERE set_name = $1 AND rank < $2::bigint',
      [set, rank],
    );
    return Number(rows[0]?.rank ?? 0);
  }

  async ranked(set: string): Promise<{ member: string; rank: number }[]> {
    const rows = await this.#rows<{ member: string; rank: string }>(
      'SELECT member, rank FROM embedmill_ranked WHERE set_name = $1 ORDER BY rank',
      [set],
    );
    return rows.map(({ member, rank }) => ({ member, rank: Number(rank) }));
  }

  async list({ place, from, to }: Listing): Promise<void> {
    await this.#rows(`WITH changed AS (SELECT 1), ${CHANGE_LISTS} SELECT 1`, [place, from, to]);
  }

  async placesBelow(list: string, below: string | undefined, limit: number): Promise<string[]> {
    const rows = await this.#rows<{ place: string }>(
      `SELECT place FROM embedmill_listed WHERE list = $1 AND ($2::text IS NULL OR place < $2 COLLATE "C")
         ORDER BY place DESC LIMIT $3`,
      [list, below ?? null, limit],
    );
    return rows.map(({ place }) => place);
  }

  async areListed(asked: readonly { place: string; lists: readonly string[] }[]): Promise<boolean[]> {
    const pairs = asked.flatMap(({ place, lists }, at) => lists.map((list) => ({ at, list, place })));
    const rows = await this.#rows<{ at: number }>(
      `SELECT at FROM unnest($1::int[], $2::text[], $3::text[]) AS asked (at, list, place)
         WHERE NOT EXISTS (SELECT FROM embedmill_listed l WHERE l.list = asked.list AND l.place = asked.place)`,
      [pairs.map(({ at }) => at), pairs.map(({ list }) => list), pairs.map(({ place }) => place)],
    );
    const missing = new Set(rows.map(({ at }) => at));
    return asked.map((_, at) => !missing.has(at));
  }

  async readJobs(queue: string, ids: readonly string[]): Promise<(StoredJob | undefined)[]> {
    const rows = await this.#rows<{
      id: string;
      data: unknown;
      added_at_ms: string;
      finished_at_ms: string | null;
    }>('SELECT id, data, added_at_ms, finished_at_ms FROM job WHERE queue = $1 AND id = ANY($2)', [
      queue,
      ids,
    ]);
    const byId = new Map(rows.map((row) => [row.id, row]));
    return ids.map((id) => {
      const row = byId.get(id);
      if (row === undefined) return undefined;
      return {
        data: row.data,
        createdAt: Number(row.added_at_ms),
        finishedAt: row.finished_at_ms === null ? undefined : Number(row.finished_at_ms),
      };
    });
  }

  /** A notification has no room for vectors; it announces a row to fetch. */
  async publish(channel: string, message: Uint8Array): Promise<void> {
    await this.#rows(
      `WITH expired AS (DELETE FROM embedmill_message WHERE expires_at < now()),
            sent AS (INSERT INTO embedmill_message VALUES ($1, $2, now() + make_interval(secs => $3)))
         SELECT pg_notify($1, '')`,
      [channel, Buffer.from(message), MESSAGE_SECONDS],
    );
  }

  async subscribe(channel: string, receive: (message: Uint8Array) => void): Promise<void> {
    const take = async (): Promise<void> => {
      const rows = await this.#rows<{ body: Buffer }>(
        'DELETE FROM embedmill_message WHERE channel = $1 RETURNING body',
        [channel],
      );
      for (const { body } of rows) receive(body);
    };
    this.#listener = await PostgresListener.open(() => new Client(this.#options), channel, take);
  }

  onReturn(): void {
    // After an outage PostgreSQL still has everything it acknowledged.
  }

  async isHeld(queue: string, id: string, token: string): Promise<boolean> {
    const held = 'SELECT id FROM job WHERE queue = $1 AND id = $2 AND lock_token = $3';
    return (await this.#rows(held, [queue, id, token])).length === 1;
  }

  async saveHeld(
    queue: string,
    id: string,
    token: string,
    data: object,
    { place, from, to }: Listing = { place: '', from: [], to: [] },
  ): Promise<boolean> {
    const save = 'UPDATE job SET data = $7 WHERE queue = $4 AND id = $5 AND lock_token = $6 RETURNING id';
    const values = [place, from, to, queue, id, token, JSON.stringify(data)];
    const rows = await this.#rows(
      `WITH changed AS (${save}), ${CHANGE_LISTS} SELECT id FROM changed`,
      values,
    );
    return rows.length === 1;
  }

  async lookAtHeld(queue: string, jobs: readonly HeldJob[]): Promise<HeldLook[]> {
    const rows = await this.#rows<{
      id: string;
      lock_token: string | null;
      outstanding: string;
      settled: string;
    }>(
      `SELECT j.id, j.lock_token,
              count(*) FILTER (WHERE d.status = 'pending') AS outstanding,
              count(*) FILTER (WHERE d.status IN ('processed', 'ignored')) AS settled
         FROM job j LEFT JOIN job_dependency d ON d.parent_queue = j.queue AND d.parent_id = j.id
         WHERE j.queue = $1 AND j.id = ANY($2) GROUP BY j.id, j.lock_token`,
      [queue, jobs.map(({ id }) => id)],
    );
    const values = await this.#rows<{ key: string; value: string }>(
      'SELECT key, value FROM embedmill_value WHERE key = ANY($1) AND expires_at > now()',
      [jobs.flatMap(({ keys }) => keys)],
    );
    const valueOf = new Map(values.map(({ key, value }) => [key, value]));
    const rowOf = new Map(rows.map((row) => [row.id, row]));
    return jobs.map(({ id, token, keys }) => {
      const row = rowOf.get(id);
      return {
        isHeld: row?.lock_token === token,
        outstanding: Number(row?.outstanding ?? 0),
        settled: Number(row?.settled ?? 0),
        asked: keys.map((key) => valueOf.get(key) ?? null),
      };
    });
  }

  async forgetChildren(queue: string, parentId: string, childKeys: string[]): Promise<void> {
    await this.#rows(
      'DELETE FROM job_dependency WHERE parent_queue = $1 AND parent_id = $2 AND child_key = ANY($3)',
      [queue, parentId, childKeys],
    );
  }

  async withdrawChildren(queue: string, parentId: string): Promise<void> {
    await withdrawUnbegun(this.queues, queue, parentId);
    // BullMQ 6.7 removes the children here, but leaves the parent waiting for them.
    await this.#rows(
      `DELETE FROM job_dependency d WHERE parent_queue = $1 AND parent_id = $2 AND status = 'pending'
         AND NOT EXISTS (SELECT FROM job j WHERE j.queue = d.child_queue AND j.id = d.child_id)`,
      [queue, parentId],
    );
  }

  async close(): Promise<void> {
    await this.queues.close();
    await this.#listener?.close();
    await this.#connection.close();
  }

  async #rows<Row>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.#connection.pool.query<Row>(text, values)).rows;
  }
}
