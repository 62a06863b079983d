/** A process for tests that writes until it is killed, and reports each call that the store acknowledged. */
import { profileSchema, type CollectionName } from '@embedmill/jobs';
import { documentOf } from '../conformance-documents.ts';
import { openZvecStore } from './zvec-store.ts';

const [folder = '', round = ''] = process.argv.slice(2);
const name = 'docs' as CollectionName;
process.on('disconnect', () => process.exit());

const store = await openZvecStore(folder);
await store.createCollection({
  name,
  dims: 4,
  createdAt: '2026-01-01T00:00:00.000Z',
  profile: profileSchema.parse({ filterable: { part: 'integer' } }),
});
for (let call = 0; ; call++) {
  const documents = Array.from({ length: 1000 }, (_, i) =>
    // The last hundred of each call replace the first ones of the round, with other chunks.
    documentOf(name, i < 900 || call === 0 ? `${round}-${call}-${i}` : `${round}-0-${i}`, {
      chunks: 1 + ((i + call) % 3),
      metadata: { part: i },
    }),
  );
  await store.replaceDocuments(name, documents);
  process.send?.(documents.map(({ id, points }) => [id, points.length]));
}
