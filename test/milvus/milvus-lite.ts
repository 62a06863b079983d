import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openMilvusStore } from '@embedmill/vector-store';
import { expect, vi } from 'vitest';
import { pythonWith } from '../clients/python.ts';
import { freePort } from '../free-port.ts';

const DEADLINE = { timeout: 60_000, interval: 200 };

/** A server of Milvus Lite: Milvus' gRPC interface on one machine. */
export interface MilvusServer {
  url: string;
  stop(): Promise<void>;
}

/**
 * How to start a Milvus: the one at MILVUS_URL, or Milvus Lite in a folder of its own; or the reason why there is none.
 */
export type MilvusAtHand = { title: string; start(): Promise<MilvusServer> } | { missing: string };

export async function milvusAtHand(): Promise<MilvusAtHand> {
  const url = process.env['MILVUS_URL'];
  if (url !== undefined && url !== '')
    return { title: 'Milvus', start: () => Promise.resolve({ url, stop: () => Promise.resolve() }) };
  const python = await pythonWith(join(import.meta.dirname, 'requirements.txt'), 'milvus');
  if ('missing' in python) return { missing: `${python.missing}; set MILVUS_URL to use one of yours` };
  return { title: 'Milvus Lite', start: () => startLite(python.command) };
}

async function startLite(python: string): Promise<MilvusServer> {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-milvus-'));
  const port = await freePort();
  const address = ['--data-dir', folder, '--host', '127.0.0.1', '--port', String(port)];
  const server = spawn(python, ['-m', 'milvus_lite', 'server', ...address], { stdio: 'ignore' });
  const ended = once(server, 'exit');
  const url = `http://127.0.0.1:${port}`;
  const store = await openMilvusStore({ url });
  await vi.waitFor(async () => {
    expect(server.exitCode).toBeNull();
    await store.ping();
  }, DEADLINE);
  await store.close();
  return {
    url,
    async stop() {
      server.kill('SIGKILL');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
