import type { Collection } from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';

/** What an operator should know of a Qdrant server. */
export interface QdrantReport {
  /** Undefined where a proxy hides it. */
  version: string | undefined;
  /** Of embedmill. */
  collections: number;
  /** What is not as it should be, and what to do. */
  remarks: string[];
}

/** What is not as it should be in a collection. */
export function remarksOn(
  { name, profile }: Collection,
  { status, optimizer_status: optimizers, config }: Schemas['CollectionInfo'],
): string[] {
  const remarks: string[] = [];
  if (status === 'red' || optimizers !== 'ok') {
    const error = optimizers === 'ok' ? 'see its log' : optimizers.error;
    remarks.push(`the collection "${name}" is ${status}: ${error}`);
  }
  const { strict_mode_config: strict } = config;
  if (strict?.enabled === true && strict.search_allow_exact === false)
    remarks.push(`the collection "${name}" allows no exact counts (strict mode): they are estimates`);
  const inMemory = Object.entries(config.params.vectors ?? {}).flatMap(([vector, params]) =>
    (params as Schemas['VectorParams']).on_disk === true ? [] : [vector],
  );
  if (profile.storage !== 'float32' && inMemory.length > 0) {
    remarks.push(
      `the collection "${name}" is ${profile.storage}, but its whole vectors (${inMemory.join(', ')}) are in memory, too: ` +
        `set their on_disk (docs/operations.md, Qdrant)`,
    );
  }
  return remarks;
}
