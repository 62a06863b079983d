import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseKept, readKept } from '@embedmill/jobs';
import { describe, expect, test } from 'vitest';
import { READERS } from './upgrade/readers.ts';

/**
 * This release reads what earlier releases kept, completely, and what later ones keep, as far as it knows it. The
 * records were taken by `upgrade/record.ts` from a server with a job under way. `npm run test:upgrade` tests whole
 * releases that follow one another, and back.
 */
const RECORDS = join(import.meta.dirname, 'upgrade/records');

interface Records {
  collection: { points: number; documents: number };
  ingest: object[];
  shards: object[];
  results: object[];
  unfinished: object;
  range: object;
  kept?: Record<string, object>;
}

const releases = await Promise.all(
  (await readdir(RECORDS)).map(
    async (name) =>
      [
        name.replace('.json', ''),
        JSON.parse(await readFile(join(RECORDS, name), 'utf8')) as Records,
      ] as const,
  ),
);

/** All records of a release, with their kinds. */
function recordsOf({ collection, ingest, shards, results, unfinished, range, kept = {} }: Records) {
  // The API returns it with counts.
  const { points, documents, ...definition } = collection;
  expect([points, documents]).toEqual([0, 0]);
  const ofJob = { collection: definition, unfinished, range };
  return [
    ...Object.entries({ ...ofJob, ...kept }),
    ...Object.entries({ ingest, shards, results }).flatMap(([kind, some]) =>
      some.map((one) => [kind, one] as const),
    ),
  ];
}

const readerOf = (kind: string) => {
  const reader = READERS[kind];
  if (reader === undefined) throw new Error(`there is no reader of ${kind}`);
  return reader;
};

test('the latest release has records of every kind', () => {
  const kinds = new Set(recordsOf(releases.at(-1)![1]).map(([kind]) => kind));
  expect([...kinds].toSorted()).toEqual(Object.keys(READERS).toSorted());
});

describe.each(releases)('records of %s', (_release, records) => {
  const all = recordsOf(records);

  test.each(all)('of the kind %s are read completely', (kind, record) => {
    expect(parseKept(readerOf(kind), record)).toMatchObject(record);
  });

  // This record is keyed by file names, so it cannot tell unknown fields from files.
  const described = all.filter(([kind]) => kind !== 'watched-marks');

  test.each(described)('of the kind %s are read if a later release adds fields', (kind, record) => {
    const reader = readerOf(kind);
    const before = parseKept(reader, record);
    expect(parseKept(reader, { ...record, later: { a: [1] } })).toEqual(before);
    for (const [field, value] of Object.entries(record)) {
      if (field !== 'collection' && field !== 'profile' && field !== 'source') continue;
      if (typeof value !== 'object' || value === null) continue;
      const changed = { ...record, [field]: { ...value, later: 1 } };
      expect(parseKept(reader, changed), field).toEqual(before);
    }
  });

  // Nothing more is done for a settled shard: it is counted, whatever else its record says.
  const meant = described.filter(([kind]) => kind !== 'results');

  test.each(meant)(
    'of the kind %s are refused if they need something that this release does not know',
    (kind, record) => {
      expect(readKept(readerOf(kind), { ...record, later: 1, needs: ['later'] }).success).toBe(false);
    },
  );
});
