import { afterAll, beforeAll, test } from 'vitest';
import { startStoringApi, STORES, type StoringApi } from '../../../apps/api/src/testing/storing-api.ts';
import { CONTRACT, ContractRun } from '../contract/contract-run.ts';
import { createClient } from './index.ts';

let storing: StoringApi;
let run: ContractRun;

beforeAll(async () => {
  storing = await startStoringApi(STORES[0]![1]);
  run = new ContractRun(createClient({ url: storing.api.url }), 'contract');
});
afterAll(() => storing.api.close());

// What needs a worker that writes files is run by npm run test:clients.
test.for(CONTRACT.filter(({ needs }) => needs === undefined))('$name', (one) => run.check(one));
