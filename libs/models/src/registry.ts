import { modelEntrySchema, type ModelEntry } from './entry.ts';
import { BUNDLED } from './registry/bundled-models.ts';
import { ENGLISH } from './registry/english-models.ts';
import { MULTILINGUAL } from './registry/multilingual-models.ts';
import { SPARSE_AND_RERANKERS } from './registry/sparse-and-rerankers.ts';

/**
 * The models that need no further word. Only entries whose commit and digests are published in more than one
 * place stand here; any other model is added by the user, in models.json of the models folder (see `models.ts`),
 * where a commit is required and digests are optional.
 */
const ENTRIES = [...BUNDLED, ...ENGLISH, ...MULTILINGUAL, ...SPARSE_AND_RERANKERS];

/** The entries that come with embedmill. */
export const REGISTRY: readonly ModelEntry[] = ENTRIES.map((entry) => modelEntrySchema.parse(entry));

/** Folders of the models folder that hold a registry entry's files under another name than its own. */
export const FOLDER_OF: ReadonlyMap<string, string> = new Map([
  ['all-MiniLM-L6-v2-fp32', 'all-MiniLM-L6-v2'],
]);
