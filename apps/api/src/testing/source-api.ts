import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestApi, type TestApi } from './test-api.ts';

/** An API with a dispatcher, a collection `docs`, and places to read sources from. */
export interface SourceApi {
  api: TestApi;
  /** The folder whose files it may read. */
  folder: string;
  /** The URL of a server with predefined responses. */
  url: string;
  close(): Promise<void>;
}

export async function startSourceApi(answer: RequestListener): Promise<SourceApi> {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-sources-'));
  const api = await startTestApi({ config: { sourceFolder: folder } });
  await api.json('POST', '/api/v1/collections', { name: 'docs' });
  await api.dispatch();
  const server = createServer(answer).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    api,
    folder,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.close();
      await api.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
