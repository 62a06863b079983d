import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newApiKey, type ApiKeyEntry } from '@embedmill/jobs';
import type { Broker } from './broker.ts';
import { KeptKeys } from './kept-keys.ts';
import { openBroker } from './open-broker.ts';
import { BROKERS, type TestBroker } from './test-brokers.ts';

const brokers = BROKERS.filter(({ name }) => name === 'Redis' || name === 'PostgreSQL');

function entryOf(name: string): ApiKeyEntry {
  const { id, hash } = newApiKey();
  return { name, scopes: ['search'], id, hash };
}

describe.each(brokers)('API keys by $name', ({ missing, start }) => {
  let server: Awaited<ReturnType<TestBroker['start']>>;
  let broker: Broker;
  let keys: KeptKeys;
  let prefix = 0;
  beforeAll(async () => {
    if (missing === undefined) server = await start();
  });
  beforeEach(async () => {
    if (missing !== undefined) return;
    broker = await openBroker({ ...server.options, prefix: `{keys${(prefix += 1)}}` });
    keys = new KeptKeys(broker);
  });
  afterEach(async () => {
    if (missing === undefined) await broker.close();
  });
  afterAll(async () => {
    if (missing === undefined) await server.stop();
  });

  const write = (records: readonly object[]) => broker.set('api-keys', JSON.stringify(records), 60);
  const written = async () => JSON.parse((await broker.get('api-keys')) ?? '[]') as unknown;

  test.skipIf(missing !== undefined)(
    'what a later release adds to a key is passed over, and kept where others change',
    async () => {
      const [stays, goes, comes] = [entryOf('stays'), entryOf('goes'), entryOf('comes')];
      const later = { ...stays, madeBy: { name: 'root' } };
      await write([later, goes]);
      expect(await keys.read()).toEqual([stays, goes]);
      await keys.change((all) => [...all.filter(({ id }) => id !== goes.id), comes]);
      expect(await keys.read()).toEqual([stays, comes]);
      expect(await written()).toEqual([later, comes]);
    },
  );

  test.skipIf(missing !== undefined)(
    'a key that needs what is not known here opens nothing, closes no other, and stays for a release that knows it',
    async () => {
      const known = entryOf('known');
      const bound = { ...entryOf('bound'), networks: ['10.0.0.0/8'], needs: ['networks'] };
      await write([bound, known]);
      expect(await keys.read()).toEqual([known]);
      await keys.change(() => []);
      expect(await keys.read()).toEqual([]);
      expect(await written()).toEqual([bound]);
    },
  );
});
