/** A process for tests that writes until it is killed, and reports each acknowledged call. */
import { profileSchema, type CollectionName } from '@embedmill/jobs';
import { documentOf, sparse, unit } from '../conformance-documents.ts';
import { openZvecStore } from './zvec-store.ts';

const [folder = '', round = ''] = process.argv.slice(2);
const name = 'docs' as CollectionName;
process.on('disconnect', () => process.exit());

const store = await openZvecStore(folder);
await store.createCollection({
  name,
  dims: 4,
  vector: 'dense',
  createdAt: '2026-01-01T00:00:00.000Z',
  other: { name: 'dense_2', model: 'another', dims: 3 },
  profile: profileSchema.parse({ filterable: { part: 'integer' }, sparse: { bm25: {} } }),
});
for (let call = 0; ; call++) {
  const documents = Array.from({ length: 1000 }, (_, i) => {
    const chunks = 1 + ((i + call) % 3);
    // The last hundred documents of each call replace the first ones of the round, with other chunks.
    return documentOf(name, i < 900 || call === 0 ? `${round}-${call}-${i}` : `${round}-0-${i}`, {
      chunks,
      other: Array.from({ length: chunks }, () => unit(3, i % 3)),
      sparse: Array.from({ length: chunks }, (_, chunk) => ({
        bm25: sparse({ [(i + call) % 7]: 1, [10 + chunk]: 1 }),
      })),
      metadata: { part: i },
    });
  });
  await store.replaceDocuments(name, documents);
  process.send?.(documents.map(({ id, points }) => [id, points.length]));
}
