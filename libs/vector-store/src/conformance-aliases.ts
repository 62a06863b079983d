import { describe, expect, test } from 'vitest';
import type { CollectionName } from '@embedmill/jobs';
import type { VectorStore } from './store.ts';

/**
 * The behaviour of aliases in every store; `create` creates a collection with a unique name, which the suite deletes.
 */
export function aliasConformance(store: () => VectorStore, create: () => Promise<CollectionName>): void {
  describe('aliases', () => {
    const alias = (): CollectionName => `alias-${Math.random().toString(36).slice(2)}` as CollectionName;
    const named = async (name: CollectionName) =>
      (await store().listAliases()).filter((one) => one.name === name);

    test('stand for a collection, and for another one from one moment to the next', async () => {
      const [blue, green, live] = [await create(), await create(), alias()];
      await store().moveAlias(live, blue);
      expect(await named(live)).toEqual([{ name: live, collection: blue }]);
      await store().moveAlias(live, green);
      await store().moveAlias(live, green);
      expect(await named(live)).toEqual([{ name: live, collection: green }]);
      await store().moveAlias(live, null);
      await store().moveAlias(live, null);
      expect(await named(live)).toEqual([]);
    });

    test('are no collections, and share no names with them', async () => {
      const [blue, green, live] = [await create(), await create(), alias()];
      await store().moveAlias(live, blue);
      expect(await store().getCollection(live)).toBeUndefined();
      expect((await store().listCollections()).map(({ name }) => name)).not.toContain(live);
      expect(await store().deleteCollection(live)).toBe(false);
      await expect(store().moveAlias(green, blue)).rejects.toMatchObject({ code: 'collection_exists' });
      const definition = await store().getCollection(blue);
      if (definition === undefined) throw new Error(`${blue} is not there`);
      await expect(store().createCollection({ ...definition, name: live })).rejects.toMatchObject({
        code: 'collection_exists',
      });
      await store().moveAlias(live, null);
    });

    test('need a collection that is there, and go with it', async () => {
      const [blue, live] = [await create(), alias()];
      await expect(store().moveAlias(live, alias())).rejects.toMatchObject({ code: 'collection_not_found' });
      await store().moveAlias(live, blue);
      await store().deleteCollection(blue);
      expect(await named(live)).toEqual([]);
    });
  });
}
