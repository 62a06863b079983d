import { randomInt } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startFakeQdrant } from '../../libs/vector-store/src/qdrant/fake-qdrant.ts';
import type { Job } from '@embedmill/jobs';
import { Embedmill, ndjson } from '../embedmill.ts';

/**
 * The order of acceptance decides: jobs of different sizes over the same ids, deletions and retries, all under way at
 * once while processes are killed, leave the same documents as if they had run one after another.
 */
const PRELOAD = fileURLToPath(new URL('../faults/faulty-engine.preload.ts', import.meta.url));
/** A word that crashes the engine while crashing is enabled. */
const CRASH = 'poison\u110e';

interface Line {
  id: string;
  text: string;
}

/** The effect of one submission or deletion on documents. */
type Change = { job: Job; lines: Line[] } | { deleted: string };

interface Chunk {
  index: number;
  start: number;
  end: number;
  text: string;
}

describe.each(['the embedded store', 'Qdrant (a fake one)'])('in %s', (where) => {
  let mill: Embedmill;
  let folder: string;
  let faults: string;
  const closers: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'embedmill-order-'));
    closers.push(() => rm(folder, { recursive: true, force: true }));
    faults = join(folder, 'faults');
    const env: Record<string, string> = {
      NODE_OPTIONS: `--import=${PRELOAD}`,
      ORT_FAULTY_ENGINE_WHILE: faults,
    };
    if (where !== 'the embedded store') {
      const fake = await startFakeQdrant();
      closers.push(async () => {
        await fake.close();
        expect(fake.violations).toEqual([]);
      });
      env['QDRANT_URL'] = fake.url;
    }
    mill = await Embedmill.up({ env });
    closers.push(() => mill.stop());
  });
  afterAll(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  async function document(name: string, id: string): Promise<{ chunks: Chunk[] } | undefined> {
    const response = await mill.call(`/api/v1/collections/${name}/documents/${id}`);
    if (response.status === 404) return undefined;
    return (await response.json()) as { chunks: Chunk[] };
  }

  /** A document's text, joined from its chunks; reports chunks that do not fit together. */
  async function textOf(name: string, id: string): Promise<string | undefined> {
    const chunks = (await document(name, id))?.chunks;
    if (chunks === undefined) return undefined;
    let text = '';
    for (const [n, chunk] of chunks.entries()) {
      if (chunk.index !== n || chunk.start > text.length) return `chunk ${chunk.index} at ${n}: ${text}`;
      text = text.slice(0, chunk.start) + chunk.text;
    }
    return text;
  }

  test('if two jobs have the same document, the later job’s stays, however much longer the earlier job takes', async () => {
    const name = await mill.collection('later');
    const filler = Array.from({ length: 299 }, (_, n) => ({ id: `d${n}`, text: sentence(n, 12) }));
    const earlier = await mill.submit(name, ndjson([...filler, { id: 'X', text: 'OLD' }]));
    const later = await mill.submit(name, ndjson([{ id: 'X', text: 'NEW' }]));
    expect(later.sequence).toBeGreaterThan(earlier.sequence);
    expect(await mill.finished(later)).toMatchObject({ stored: 1, superseded: 0 });
    const { stored, superseded, done } = await mill.finished(earlier);
    expect({ sum: stored + superseded, done }).toEqual({ sum: 300, done: 300 });
    expect(await textOf(name, 'X')).toBe('NEW');
  });

  test('a document that is deleted while an older job still runs stays deleted', async () => {
    const name = await mill.collection('deleted');
    const filler = Array.from({ length: 299 }, (_, n) => ({ id: `d${n}`, text: sentence(n, 12) }));
    const job = await mill.submit(name, ndjson([...filler, { id: 'X', text: 'OLD' }]));
    const gone = await mill.call(`/api/v1/collections/${name}/documents/X`, { method: 'DELETE' });
    expect(gone.status).toBe(204);
    const tombstones = await mill.submit(
      name,
      '{"id":"d298","deleted":true}\n{"id":"none","deleted":true}\n',
    );
    expect(await mill.finished(tombstones)).toMatchObject({ deleted: 2, stored: 0, done: 2, tokens: 0 });
    expect((await mill.finished(job)).done).toBe(300);
    expect(await textOf(name, 'X')).toBeUndefined();
    expect(await textOf(name, 'd298')).toBeUndefined();
    const lines =
      '{"id":"d1","deleted":true}\n{"id":"d1","text":"BACK"}\n{"id":"d2","text":"x"}\n{"id":"d2","deleted":true}\n';
    expect(await mill.finished(await mill.submit(name, lines))).toMatchObject({
      stored: 1,
      deleted: 1,
      duplicates: 2,
      failed: 0,
    });
    expect(await textOf(name, 'd1')).toBe('BACK');
    expect(await textOf(name, 'd2')).toBeUndefined();
  });

  test('a snapshot leaves exactly its documents, even if processes die; a dry run predicts it', async () => {
    const name = await mill.collection('snapshot');
    const documents = (ids: string[], turn: number) =>
      ndjson(ids.map((id) => ({ id, text: `${id} ${turn}` })));
    const submit = async (body: string, query: Record<string, string>) => {
      const path = `/api/v1/collections/${name}/jobs?${new URLSearchParams({ sourceName: 's', ...query })}`;
      const headers = { 'content-type': 'application/x-ndjson' };
      const sent = await mill.call(path, { method: 'POST', headers, body });
      return (await sent.json()) as Job;
    };
    const ids = Array.from({ length: 900 }, (_, n) => `d${n}`);
    await mill.finished(await mill.submit(name, documents(['other'], 0)));
    expect(await mill.finished(await submit(documents(ids, 0), {}))).toMatchObject({ stored: 900 });
    const mode = { mode: 'snapshot', maxDeleted: '50%' };
    const next = [...ids.slice(0, 500), 'new1', 'new2'];
    const edited = documents(['d0', 'd1'], 1) + documents(next.slice(2), 0);
    const dry = await mill.finished(await submit(edited, { ...mode, dryRun: 'true' }));
    expect(dry).toMatchObject({
      state: 'completed',
      dryRun: true,
      documents: 502,
      added: 2,
      stored: 4,
      skipped: 498,
      gone: 400,
      chunks: 0,
      tokens: 0,
    });
    const output = await (await mill.call(`/api/v1/jobs/${dry.id}/output`)).text();
    const changes = output
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { change: string; id: string });
    const idsOf = (wanted: string) =>
      changes.flatMap(({ change, id }) => (change === wanted ? id : [])).toSorted();
    expect(idsOf('added')).toEqual(['new1', 'new2']);
    expect(idsOf('changed')).toEqual(['d0', 'd1']);
    expect(idsOf('gone')).toEqual(ids.slice(500).toSorted());
    // The dry run has changed nothing.
    expect(await textOf(name, 'd0')).toBe('d0 0');
    expect(await textOf(name, 'd899')).toBe('d899 0');
    const job = await submit(documents(next, 1), mode);
    await kill('worker');
    await mill.until('the snapshot is being ended', async () => {
      const found = await mill.json<Job>(`/api/v1/jobs/${job.id}`).catch(() => undefined);
      return found !== undefined && (found.done >= 400 || found.state !== 'running');
    });
    await kill('api');
    expect(await mill.finished(job, 300)).toMatchObject({
      state: 'completed',
      done: 502,
      failed: 0,
      gone: 400,
    });
    const { documents: left } = await mill.json<{ documents: number }>(`/api/v1/collections/${name}`);
    expect(left).toBe(503);
    expect(await textOf(name, 'd499')).toBe('d499 1');
    expect(await textOf(name, 'd500')).toBeUndefined();
    expect(await textOf(name, 'other')).toBe('other 0');
  }, 600_000);

  test('everything at once, with kills and retries, ends as one after another', async () => {
    const name = await mill.collection('order');
    await writeFile(faults, '');
    const ids = Array.from({ length: 12 }, (_, n) => `shared${n}`);
    const changes: Change[] = [];
    for (let turn = 0; turn < 10; turn += 1) {
      if (turn % 5 === 4) {
        const deleted = ids[randomInt(ids.length)] ?? '';
        const path = `/api/v1/collections/${name}/documents/${deleted}`;
        await mill.until('it is deleted', async () => {
          return (await mill.call(path, { method: 'DELETE' }).catch(() => undefined))?.status === 204;
        });
        changes.push({ deleted });
      } else {
        const own = Array.from({ length: [2, 60, 20, 200][turn % 4] ?? 1 }, (_, n) => ({
          id: `own${turn}-${n}`,
          text: sentence(turn, 10),
        }));
        const shared = ids
          .filter(() => randomInt(2) === 0)
          .map((id) => {
            // Texts of one chunk or several; some crash the engine for now.
            const bad = randomInt(8) === 0 ? `${CRASH} ` : '';
            return { id, text: `${bad}${sentence(turn, randomInt(2) === 0 ? 8 : 500)}` };
          });
        const lines = [...own, ...shared];
        const headers = { 'idempotency-key': `${name} ${turn}` };
        let job: Job | undefined;
        await mill.until('it is submitted', async () => {
          job = await mill.submit(name, ndjson(lines), headers).catch(() => undefined);
          return job !== undefined;
        });
        changes.push({ job: job as unknown as Job, lines });
      }
      if (turn === 3) await kill('worker');
      if (turn === 6) await kill('api');
      if (turn === 8) await kill('store');
    }
    const submitted = changes.flatMap((change) => ('job' in change ? [change] : []));
    for (const { job } of submitted) await mill.finished(job, 300);

    await rm(faults);
    const failed = new Map<Job, string[]>();
    for (const { job } of submitted) {
      const reports = await mill.reports(job, 'failures');
      if (reports.length > 0)
        failed.set(
          job,
          reports.map(({ id }) => String(id)),
        );
    }
    // The earliest job is retried last: by then its documents are outdated.
    const retried = [...failed.keys()].toReversed().slice(1);
    for (const job of retried) {
      const again = await mill.json<Job>(`/api/v1/jobs/${job.id}/retry`, {});
      expect(again.sequence).toBe(job.sequence);
      expect(await mill.finished(again, 200)).toMatchObject({ state: 'completed', failed: 0 });
    }

    const expected = new Map<string, string | undefined>();
    for (const change of changes) {
      if ('deleted' in change) {
        expected.set(change.deleted, undefined);
        continue;
      }
      const lost = retried.includes(change.job) ? [] : (failed.get(change.job) ?? []);
      for (const { id, text } of change.lines) if (!lost.includes(id)) expected.set(id, text);
    }
    const got = new Map<string, string | undefined>();
    for (const id of ids) got.set(id, await textOf(name, id));
    expect(Object.fromEntries(got)).toEqual(Object.fromEntries(ids.map((id) => [id, expected.get(id)])));

    const { points } = await mill.json<{ points: number }>(`/api/v1/collections/${name}`);
    let scanned = 0;
    const seen = new Set<string>();
    for (let after = ''; ;) {
      const page = await mill.json<{ points: { id: string; chunk: number }[]; next: string | null }>(
        `/api/v1/collections/${name}/points?limit=1000${after === '' ? '' : `&after=${after}`}`,
      );
      scanned += page.points.length;
      for (const { id } of page.points) seen.add(id);
      if (page.next === null) break;
      after = page.next;
    }
    expect(scanned).toBe(points);
    expect([...seen].toSorted()).toEqual(
      [...expected].flatMap(([id, text]) => (text === undefined ? [] : id)).toSorted(),
    );
  }, 600_000);

  async function kill(victim: 'worker' | 'api' | 'store'): Promise<void> {
    await setTimeout(randomInt(400));
    const { processes } = await mill.state();
    const pid = processes[victim];
    if (pid !== null) process.kill(pid, 'SIGKILL');
  }
});

const WORDS = 'river bank money stone cloud engine table light green seven under walk'.split(' ');

/** A text of this many words; the first one tells which turn it belongs to. */
function sentence(turn: number, words: number): string {
  const of = Array.from({ length: words }, () => WORDS[randomInt(WORDS.length)]);
  return `version ${turn}: ${of.join(' ')}.`;
}
