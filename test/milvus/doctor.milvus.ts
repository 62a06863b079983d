import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../embedmill.ts';
import { milvusAtHand, type MilvusServer } from './milvus-lite.ts';

const milvus = await milvusAtHand();
const title = 'title' in milvus ? milvus.title : `Milvus (${milvus.missing})`;
const TOKEN = 'root:a-password-that-nobody-may-see';

describe.skipIf('missing' in milvus)(`doctor of ${title}`, () => {
  let server: MilvusServer;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'embedmill-doctor-'));
    if ('start' in milvus) server = await milvus.start();
  });
  afterAll(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('names the store, its version and what it lacks, and does not show its token', async () => {
    const lite = title === 'Milvus Lite';
    const env = { QDRANT_URL: '', MILVUS_URL: server.url, ...(lite && { MILVUS_TOKEN: TOKEN }) };
    const { stdout, stderr } = await runCli(['doctor', '--json', '--data', folder], { env });
    const { checks } = JSON.parse(stdout) as { checks: { name: string; ok: boolean; detail: string }[] };
    const check = checks.find(({ name }) => name === 'store');
    expect(check?.detail).toMatch(/^Milvus, http.*, version \S+, \d+ collections/);
    expect(check?.ok).toBe(true);
    if (lite) expect(check?.detail).toMatch(/Milvus Lite is only for trying out.*one process/);
    expect(stdout + stderr).not.toContain(TOKEN.slice(5));
  });
});
