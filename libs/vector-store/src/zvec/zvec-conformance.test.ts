import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { conformance } from '../conformance.ts';
import { connectStore } from '../socket/connect-store.ts';
import { serveStore } from '../socket/serve-store.ts';
import { openZvecStore } from './zvec-store.ts';

conformance('zvec', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-zvec-'));
  const store = await openZvecStore(folder);
  return {
    store,
    async release() {
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
});

conformance('zvec behind its socket', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-zvec-'));
  const owned = await openZvecStore(join(folder, 'vectors'));
  const host = await serveStore(owned, join(folder, 'store.sock'));
  const store = connectStore(join(folder, 'store.sock'));
  return {
    store,
    async release() {
      await store.close();
      await host.close();
      await owned.close();
      await rm(folder, { recursive: true });
    },
  };
});
