import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { openStore } from './open-store.ts';

test.each([
  [{ socket: '/run/embedmill.sock' }, /zvec.*\/run\/embedmill\.sock/],
  [{ socket: '/run/embedmill.sock', qdrantUrl: '' }, /zvec/],
  [{ socket: '/run/embedmill.sock', qdrantUrl: 'http://qdrant:6333' }, /Qdrant.*qdrant:6333/],
  [{ socket: '/run/embedmill.sock', milvus: { url: 'http://milvus' } }, /Milvus, http:\/\/milvus:19530$/],
])('%j means the store %s', async (options, description) => {
  const store = await openStore(options);
  expect(store.description).toMatch(description);
  await store.close();
});

test('Milvus’ client is loaded where Milvus is used, and not before', async () => {
  const path = JSON.stringify(new URL('open-store.ts', import.meta.url).href);
  const script = `
    import { createRequire } from 'node:module';
    import { openStore } from ${path};
    const { cache } = createRequire(${path});
    const loaded = () => Object.keys(cache).some((file) => file.includes('milvus2-sdk-node'));
    for (const more of [{}, { qdrantUrl: 'http://127.0.0.1:1' }, { milvus: { url: 'http://127.0.0.1:1' } }]) {
      const store = await openStore({ socket: '/none', ...more });
      process.stdout.write(Object.keys(more).join() + ' ' + loaded() + '\\n');
      await store.close();
    }
    process.exit();`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  expect(stdout).toBe(' false\nqdrantUrl false\nmilvus true\n');
});
