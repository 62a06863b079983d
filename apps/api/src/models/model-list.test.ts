import { expect, it } from 'vitest';
import type { ModelSummary } from '@embedmill/models';
import { requireModel } from './model.ts';
import { keptModels } from './model-list.ts';

const named = (name: string) => ({ name, kind: 'dense' }) as ModelSummary;

function listOf(models: ModelSummary[]) {
  const seen = { looks: 0, now: 0 };
  const list = keptModels(
    async () => {
      seen.looks += 1;
      return [...models];
    },
    () => seen.now,
  );
  return { list, seen };
}

it('lists the models once for all requests within a second', async () => {
  const { list, seen } = listOf([named('a')]);
  await Promise.all(Array.from({ length: 50 }, () => list()));
  seen.now = 1000;
  await list();
  expect(seen.looks).toBe(1);
  seen.now = 1001;
  await list();
  expect(seen.looks).toBe(2);
});

it('finds a model that has just been added', async () => {
  const models = [named('a')];
  const { list, seen } = listOf(models);
  await list();
  models.push(named('b'));
  seen.now = 1;
  expect((await requireModel(list, 'b', 'model')).name).toBe('b');
  expect(seen.looks).toBe(2);
});

it('lists the models again after a failure', async () => {
  let looks = 0;
  const list = keptModels(async () => {
    looks += 1;
    if (looks === 1) throw new Error('the folder cannot be read');
    return [named('a')];
  });
  await expect(list()).rejects.toThrow('cannot be read');
  expect(await list()).toEqual([named('a')]);
});
