import { isDeepStrictEqual } from 'node:util';
import { EmbedmillError, type Collection, type CollectionName } from '@embedmill/jobs';

/**
 * @throws EmbedmillError `collection_exists` unless both mean the same: equal profiles and sizes, whenever made.
 */
export function assertSameCollection(existing: Collection, wanted: Collection): void {
  if (isDeepStrictEqual(fixedParts(existing), fixedParts(wanted))) return;
  throw new EmbedmillError(
    'collection_exists',
    `the collection "${wanted.name}" exists with another profile (model ${existing.profile.model}, ${existing.dims} ` +
      `dimensions); choose another name, or delete it first`,
  );
}

export function collectionNotFound(name: CollectionName): EmbedmillError {
  return new EmbedmillError('collection_not_found', `there is no collection "${name}"; create it first`);
}

/** Through JSON, so that a key that is undefined equals one that is missing. */
function fixedParts({ profile, dims }: Collection): unknown {
  return JSON.parse(JSON.stringify({ profile, dims }));
}
