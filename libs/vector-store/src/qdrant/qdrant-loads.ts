import { readKept, type CollectionName, type JobId } from '@embedmill/jobs';
import type { Schemas } from '@qdrant/js-client-rest';
import { z } from 'zod';
import type { BulkLoad, BulkLoads } from '../bulk-loads.ts';
import { collectionOf, forbidsExact, isIndexed } from './qdrant-collection.ts';
import type { QdrantConnection } from './qdrant-connection.ts';

/** A load is a collection's first one where it brings at least so many times the points that are there. */
const FIRST_LOAD = 10;

/** Of a key of a Qdrant collection's metadata; the job's id follows. */
const MARK = 'embedmill-load-';

/** The index's links, as Qdrant names them. */
const linksSchema = z.object({ m: z.int(), payload_m: z.int().optional() });
type Links = z.infer<typeof linksSchema>;

/** What stands under a load's key: the links that the collection had before, and whether the job has ended. */
const markSchema = z.object({ since: z.string(), links: linksSchema, over: z.boolean() });
export type LoadMark = z.infer<typeof markSchema> & { job: JobId };

/**
 * Bulk loads in Qdrant: while one is under way, the collection's index has no links (`m` 0, and `payload_m` where it is set), as
 * Qdrant advises for them. Vectors are merged, quantised and moved to disk as ever; searches look at all of them.
 *
 * Any process may die between any two requests, ours or Qdrant's, and others may begin and end at the same time, without a lock:
 *
 * - A mark is written before links are taken, and removed after they are back. So where links are missing, there is a mark.
 * - Each job has a mark of its own, with the links from before: no writer changes another's, and any one mark is enough to go by.
 * - A job that ends says so in its mark first, and looks at the others then: of several, the last to look finds all over.
 *
 * The worst that two at once can do is to make the index while one of them still loads. Links that somebody else has set
 * meanwhile stay.
 */
export class QdrantLoads implements BulkLoads {
  readonly #connection: Pick<QdrantConnection, 'info' | 'infos' | 'send'>;
  readonly #leastPoints: number;

  /** @param leastPoints of a load that is big; 0: none is */
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
    // It would refuse searches of what has no index.
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

/** The loads that are written down in a collection, the oldest first. */
export function loadMarks({ config }: Schemas['CollectionInfo']): LoadMark[] {
  return Object.entries((config.metadata ?? {}) as Record<string, unknown>)
    .flatMap(([key, value]) => {
      const mark = key.startsWith(MARK) ? readKept(markSchema, value) : undefined;
      return mark?.success === true ? { ...mark.data, job: key.slice(MARK.length) as JobId } : [];
    })
    .toSorted((a, b) => (a.since < b.since ? -1 : 1));
}

/** The links as they are where there are any, else as they were before the loads. */
function linksBefore({ config }: Schemas['CollectionInfo'], marks: readonly LoadMark[]): Links {
  const { m, payload_m: payloadM } = config.hnsw_config;
  const before = marks[0]?.links;
  return {
    m: m || (before?.m ?? 0),
    ...(typeof payloadM === 'number' && { payload_m: payloadM || (before?.payload_m ?? 0) }),
  };
}
