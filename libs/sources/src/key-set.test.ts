import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DocumentId, JobId, TenantId } from '@embedmill/jobs';
import { KeySet, KeySetWriter } from './key-set.ts';
import { Spool } from './spool.ts';

const JOB = 'job_1' as JobId;
let spool: Spool;

beforeAll(async () => {
  spool = await Spool.open(await mkdtemp(join(tmpdir(), 'embedmill-key-set-')));
});
afterAll(() => rm(spool.place, { recursive: true, force: true }));

const keyOf = (tenant: string, id: string) => ({ tenant: tenant as TenantId, id: id as DocumentId });

test('a set has what was added, of the tenants that it was added of, and nothing else', async () => {
  const key = fc.record({ tenant: fc.constantFrom('a', 'b', 'c'), id: fc.string({ maxLength: 2 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(key), fc.array(key), async (added, others) => {
      const writer = new KeySetWriter();
      for (const { tenant, id } of added) await writer.add(keyOf(tenant, id));
      await writer.write(spool, JOB);
      await writer.close();
      const set = await KeySet.load(spool, JOB);
      for (const { tenant, id } of [...added, ...others]) {
        const isThere = added.some((one) => one.tenant === tenant && one.id === id);
        expect(set.has(keyOf(tenant, id))).toBe(isThere);
        expect(set.hasTenant(tenant as TenantId)).toBe(added.some((one) => one.tenant === tenant));
      }
    }),
    { numRuns: 100 },
  );
});

test('many keys are spread over files, and found all the same', async () => {
  const writer = new KeySetWriter(2);
  for (let n = 0; n < 5000; n += 1) await writer.add(keyOf(`t${n % 3}`, `d${n}`));
  await writer.addFailed(keyOf('other', 'x'));
  await writer.write(spool, JOB);
  await writer.close();
  const set = await KeySet.load(spool, JOB);
  for (let n = 0; n < 5000; n += 1) expect(set.has(keyOf(`t${n % 3}`, `d${n}`))).toBe(true);
  expect(set.has(keyOf('t1', 'd0'))).toBe(false);
  expect(set.has(keyOf('other', 'x'))).toBe(true);
  expect(set.hasTenant('other' as TenantId)).toBe(false);
});
