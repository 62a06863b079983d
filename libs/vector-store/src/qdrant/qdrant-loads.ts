import { readKept, type CollectionName, type JobId } from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';
import { z } from 'zod';
import type { BulkLoad, BulkLoads } from '../bulk-loads.ts';
import { collectionOf, forbidsExact, isIndexed } from './qdrant-collection.ts';
import type { QdrantConnection } from './qdrant-connection.ts';

/** A load counts as a first load if it adds at least this many times the existing points. */
const FIRST_LOAD = 10;

/** The prefix of a key in a Qdrant collection's metadata; the job's id follows. */
const MARK = 'embedmill-load-';

/** The index's links, as Qdrant names them. */
const linksSchema = z.strictObject({ m: z.int(), payload_m: z.int().optional() });
type Links = z.infer<typeof linksSchema>;

/** The value of a load's key: the collection's previous links, and whether the job has ended. */
export const markSchema = z.strictObject({ since: z.string(), links: linksSchema, over: z.boolean() });
export type LoadMark = z.infer<typeof markSchema> & { job: JobId };

/**
 * Bulk loads in Qdrant: during a load the collection's index has no links (`m` 0, and `payload_m` if it is set), as
 * Qdrant recommends. Vectors are merged, quantised and moved to disk as usual; searches scan all of them.
 *
 * Any process, ours or Qdrant, may die between any two requests, and other loads may begin and end concurrently,
 * without a lock:
 *
 * - A mark is written before links are removed, and deleted after they are restored. So while links are missing, there
 *   is a mark.
 * - Each job has its own mark with the previous links: no writer changes another's mark, and any single mark suffices
 *   to restore them.
 * - A job that ends first records that in its mark and then reads the others: of several, the last one to read finds
 *   that all have ended.
 *
 * The worst outcome of a race is that the index is built while one of them is still loading. Links set by somebody else
 * meanwhile are kept.
 */
export class QdrantLoads implements BulkLoads {
  readonly #connection: Pick<QdrantConnection, 'info' | 'infos' | 'send'>;
  readonly #leastPoints: number;

  /** @param leastPoints the minimum size of a large load; 0: none is large */
  constructor(connection: Pick<QdrantConnection, 'info' | 'infos' | 'send'>, leastPoints: number) {
    this.#connection = connection;
    this.#leastPoints = leastPoints;
  }

  async begin(name: CollectionName, job: JobId, points: number): Promise<boolean> {
    if (this.#leastPoints === 0 || points < this.#leastPoints) return false;
    const info = await this.#connection.info(name);
    if (info === undefined || collectionOf(name, info) === undefined) return false;
    const marks = loadMarks(info);
    if (marks.some((mark) => mark.job === job && !mark.over)) return true;
    const isFirst = FIRST_LOAD * (info.points_count ?? 0) <= points;
    if (marks.length === 0 && !isFirst) return false;
    // The collection would refuse searches without an index.
    if (forbidsExact(info)) return false;
    const links = linksBefore(info, marks);
    if (!isIndexed(links)) return false;
    const since = new Date().toISOString();
    await this.#update(name, { metadata: { [MARK + job]: { since, links, over: false } } });
    await this.#update(name, { hnsw_config: links.payload_m === undefined ? { m: 0 } : NO_LINKS });
    return true;
  }

  async end(name: CollectionName, job: JobId): Promise<void> {
    const mark = (await this.#marks(name)).find((one) => one.job === job);
    if (mark === undefined) return;
    const { since, links } = mark;
    await this.#update(name, { metadata: { [MARK + job]: { since, links, over: true } } });
    const info = await this.#connection.info(name);
    const marks = info === undefined ? [] : loadMarks(info);
    if (info === undefined || marks.length === 0 || marks.some(({ over }) => !over)) return;
    const before = linksBefore(info, marks);
    await this.#update(name, { hnsw_config: before });
    await this.#update(name, { metadata: Object.fromEntries(marks.map((one) => [MARK + one.job, null])) });
  }

  async list(): Promise<BulkLoad[]> {
    const infos = await this.#connection.infos();
    return infos.flatMap(({ name, info }) => loadMarks(info).map(({ job }) => ({ collection: name, job })));
  }

  async #marks(name: CollectionName): Promise<LoadMark[]> {
    const info = await this.#connection.info(name);
    return info === undefined ? [] : loadMarks(info);
  }

  async #update(name: CollectionName, change: Schemas['UpdateCollection']): Promise<void> {
    await this.#connection.send(name, (client) => client.updateCollection(name, change));
  }
}

const NO_LINKS = { m: 0, payload_m: 0 };

/** The recorded loads of a collection, oldest first. */
export function loadMarks({ config }: Schemas['CollectionInfo']): LoadMark[] {
  return Object.entries((config.metadata ?? {}) as Record<string, unknown>)
    .flatMap(([key, value]) => {
      const mark = key.startsWith(MARK) ? readKept(markSchema, value) : undefined;
      return mark?.success === true ? { ...mark.data, job: key.slice(MARK.length) as JobId } : [];
    })
    .toSorted((a, b) => (a.since < b.since ? -1 : 1));
}

/** The current links if there are any, else those from before the loads. */
function linksBefore({ config }: Schemas['CollectionInfo'], marks: readonly LoadMark[]): Links {
  const { m, payload_m: payloadM } = config.hnsw_config;
  const before = marks[0]?.links;
  return {
    m: m || (before?.m ?? 0),
    ...(typeof payloadM === 'number' && { payload_m: payloadM || (before?.payload_m ?? 0) }),
  };
}
