import { modelEntrySchema, type ModelEntry } from './entry.ts';
import { BUNDLED } from './registry/bundled-models.ts';
import { ENGLISH } from './registry/english-models.ts';
import { MULTILINGUAL } from './registry/multilingual-models.ts';
import { SPARSE_AND_RERANKERS } from './registry/sparse-and-rerankers.ts';

/**
 * The models that need no configuration. An entry is listed here only if its commit and digests are published in more
 * than one place. Users add other models in models.json of the models folder (see `models.ts`), where a commit is
 * required and digests are optional.
 */
const ENTRIES = [...BUNDLED, ...ENGLISH, ...MULTILINGUAL, ...SPARSE_AND_RERANKERS];

/** The entries that come with embedmill. */
export const REGISTRY: readonly ModelEntry[] = ENTRIES.map((entry) => modelEntrySchema.parse(entry));

/** Folders in the models folder with a registry entry's files under another name. */
export const FOLDER_OF: ReadonlyMap<string, string> = new Map([
  ['all-MiniLM-L6-v2-fp32', 'all-MiniLM-L6-v2'],
]);
