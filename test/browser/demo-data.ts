import { readFile } from 'node:fs/promises';
import type { Job } from '@embedmill/jobs';
import type { Embedmill } from '../embedmill.ts';

const DATA = new URL('../../apps/cli/demo/', import.meta.url);
const FAULTY = '{"id":"empty","text":""}\n{"id":"no-text"}\nnot json\n{"id":"cut","text":"a good one"}\n';
/** Documents of the dictionary in the collection that migrates. */
const MIGRATED = 400;

export interface DemoData {
  /** A job with some failed documents. */
  readonly failing: Job;
  /** A collection with a migration in progress. */
  readonly migrating: string;
}

/** The demo’s collections, a job with failures, a migration, and a map. */
export async function demoData(up: Embedmill): Promise<DemoData> {
  const profiles = {
    words: { sparse: { bm25: {} }, filterable: { words: 'keyword', pos: 'keyword', frequency: 'integer' } },
    zhongwen: {
      model: 'multilingual-e5-small-int8',
      sparse: { bm25: { language: 'chinese' } },
      filterable: { language: 'keyword' },
    },
    glosses: { sparse: { bm25: {} } },
  };
  for (const [name, profile] of Object.entries(profiles))
    await up.json('/api/v1/collections', { name, profile });
  await up.json('/api/v1/aliases/dictionary', { collection: 'words' }, 'PUT');
  const words = await readFile(new URL('wordnet.ndjson', DATA), 'utf8');
  await up.finished(await up.submit('words', words));
  await up.finished(await up.submit('zhongwen', await readFile(new URL('chinese.ndjson', DATA))));
  const some = words.split('\n').slice(0, MIGRATED).join('\n');
  await up.finished(await up.submit('glosses', some));
  const model = 'multilingual-e5-small-int8';
  const { job } = await up.json<{ job: Job }>('/api/v1/collections/glosses/migration', { model });
  await up.finished(job);
  const failing = await up.finished(await up.submit('words', FAULTY));
  await mapped(up, 'words', ['pos', 'frequency']);
  return { failing, migrating: 'glosses' };
}

async function mapped(up: Embedmill, collection: string, fields: string[]): Promise<void> {
  const path = `/api/v1/collections/${collection}/map`;
  await up.json(path, { fields });
  await up.until('the map is there', async () => (await up.json<{ state: string }>(path)).state === 'ready');
}
