import { join } from 'node:path';
import {
  collectionNameSchema,
  DiskSpace,
  EmbedmillError,
  type Collection,
  type CollectionName,
  type DenseName,
  type DenseVector,
  type FilterableType,
  type PointId,
  type SparseScheme,
  type TenantId,
  type TokenVectors,
} from '@embedmill/jobs';
import { assertSameCollection, collectionNotFound, nameTaken, refuseLayout } from '../collections.ts';
import type {
  Alias,
  CountedField,
  DocumentCount,
  DocumentKey,
  DocumentPoints,
  DocumentScan,
  DocumentVersion,
  FoundDocument,
  NearSearch,
  PointPayload,
  PointVectors,
  PointScan,
  RankedPoint,
  ScannedDocument,
  ScoredPoint,
  StoredPoint,
  VectorAddition,
  VectorSearch,
  VectorStore,
} from '../store.ts';
import { Aliases } from './aliases.ts';
import {
  createFolder,
  findCollections,
  removeDefinition,
  removeFolder,
  writeDefinition,
} from './collection-folder.ts';
import { loadZvec, type Zvec } from './native.ts';
import { ZvecCollection } from './zvec-collection.ts';

/**
 * The vector store in a folder, with zvec. One process owns the folder; others reach it through its socket (see
 * serveStore). Every collection stays open. Creating, updating and deleting collections run sequentially.
 *
 * @throws EmbedmillError `store_unavailable` if zvec cannot be loaded here, or a collection cannot be opened because
 *   another process has it, or it is damaged.
 */
export async function openZvecStore(
  folder: string,
  { diskReserve }: { diskReserve?: number | undefined } = {},
): Promise<VectorStore> {
  const zvec = await loadZvec();
  const open = new Map<string, ZvecCollection>();
  const aliases = await Aliases.read(folder);
  try {
    for (const found of await findCollections(folder)) {
      const { collection, folder: its } = found;
      open.set(collection.name, await ZvecCollection.open(zvec, collection, its));
    }
  } catch (thrown) {
    for (const collection of open.values()) await collection.close();
    throw thrown;
  }
  return new ZvecStore(zvec, folder, new DiskSpace(folder, diskReserve), { open, aliases });
}

/** Deletions free space in the end, but first write a little. */
const DELETION_SHARE = 0.25;

class ZvecStore implements VectorStore {
  readonly description: string;
  readonly #zvec: Zvec;
  readonly #folder: string;
  readonly #open: Map<string, ZvecCollection>;
  readonly #aliases: Aliases;
  readonly #disk: DiskSpace;
  #lastChange: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(
    zvec: Zvec,
    folder: string,
    disk: DiskSpace,
    { open, aliases }: { open: Map<string, ZvecCollection>; aliases: Aliases },
  ) {
    this.description = `zvec, ${folder}`;
    this.#zvec = zvec;
    this.#folder = folder;
    this.#disk = disk;
    this.#open = open;
    this.#aliases = aliases;
  }

  createCollection(collection: Collection): Promise<void> {
    return this.#change(async () => {
      if (this.#closed) throw closed();
      const existing = this.#open.get(collection.name);
      if (existing !== undefined) return assertSameCollection(existing.definition, collection);
      if (!collectionNameSchema.safeParse(collection.name).success) {
        throw new EmbedmillError('store_rejected', `"${collection.name}" cannot be the name of a collection`);
      }
      refuseLayout(collection, 'the embedded store');
      const alias = this.#aliases.list().find(({ name }) => name === collection.name);
      if (alias !== undefined) throw nameTaken(collection.name, alias);
      const folder = join(this.#folder, collection.name);
      await this.#assertRoom();
      await createFolder(folder);
      this.#open.set(collection.name, await this.#createIn(folder, collection));
    });
  }

  async getCollection(name: CollectionName): Promise<Collection | undefined> {
    return this.#open.get(name)?.definition;
  }

  async listCollections(): Promise<Collection[]> {
    return [...this.#open.values()]
      .map((collection) => collection.definition)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  async addField(name: CollectionName, field: string, type: FilterableType): Promise<void> {
    await this.#collection(name).addField(field, type);
  }

  updateCollection(collection: Collection, known?: Collection): Promise<void> {
    return this.#change(async () =>
      this.#collection(collection.name as CollectionName).update(collection, known),
    );
  }

  deleteCollection(name: CollectionName): Promise<boolean> {
    return this.#change(async () => {
      const collection = this.#open.get(name);
      if (collection === undefined) return false;
      this.#open.delete(name);
      await this.#aliases.forget(name);
      await removeDefinition(collection.folder);
      await collection.close();
      await removeFolder(collection.folder);
      return true;
    });
  }

  async listAliases(): Promise<Alias[]> {
    return this.#aliases.list();
  }

  moveAlias(name: CollectionName, collection: CollectionName | null): Promise<void> {
    return this.#change(async () => {
      if (collection !== null) this.#collection(collection);
      if (this.#open.has(name)) throw nameTaken(name);
      await this.#aliases.move(name, collection);
    });
  }

  async countPoints(name: CollectionName, tenant?: TenantId): Promise<number> {
    return this.#collection(name).count(tenant);
  }

  async countDocuments(name: CollectionName, by: CountedField, tenant?: TenantId): Promise<DocumentCount[]> {
    return this.#collection(name).countDocuments(by, tenant);
  }

  async countLacking(name: CollectionName, vector: DenseName): Promise<number> {
    return this.#collection(name).countLacking(vector);
  }

  async findDocuments(
    name: CollectionName,
    documents: DocumentKey[],
  ): Promise<(FoundDocument | undefined)[]> {
    return this.#collection(name).find(documents);
  }

  async replaceDocuments(
    name: CollectionName,
    documents: DocumentPoints[],
    known?: Collection,
  ): Promise<DocumentKey[]> {
    await this.#assertRoom();
    return this.#collection(name).replace(documents, known);
  }

  async deleteDocuments(
    name: CollectionName,
    documents: DocumentKey[],
    sequence: number,
    known?: Collection,
  ): Promise<DocumentKey[]> {
    await this.#assertRoom(DELETION_SHARE);
    return this.#collection(name).deleteDocuments(documents, sequence, known);
  }

  async confirmDocuments(
    name: CollectionName,
    versions: DocumentVersion[],
    sequence: number,
  ): Promise<DocumentKey[]> {
    await this.#assertRoom();
    return this.#collection(name).confirm(versions, sequence);
  }

  async removeOvertaken(name: CollectionName): Promise<void> {
    // An overtaken writer has written nothing here; the next write removes the remains of an interrupted one.
    this.#collection(name);
  }

  async takeBack(): Promise<void> {
    // A write for a previous collection of this name writes nothing.
  }

  async purgeTombstones(name: CollectionName, below: number): Promise<number> {
    await this.#assertRoom(DELETION_SHARE);
    return this.#collection(name).purgeTombstones(below);
  }

  async search(name: CollectionName, search: VectorSearch): Promise<ScoredPoint[]> {
    return this.#collection(name).search(search);
  }

  async rank(name: CollectionName, searches: VectorSearch[]): Promise<RankedPoint[][]> {
    const collection = this.#collection(name);
    const found: RankedPoint[][] = [];
    // Sequentially, because each concurrent call gets one turn at the native library, whatever its size.
    for (const search of searches) found.push(await collection.rank(search));
    return found;
  }

  async findNear(
    name: CollectionName,
    points: PointId[],
    { threshold, limit, ...selection }: NearSearch,
  ): Promise<RankedPoint[][]> {
    const stored = await this.#collection(name).getVectors(points);
    const near: RankedPoint[][] = [];
    for (const own of points) {
      const values = stored.get(own)?.dense;
      const search = { vector: { kind: 'dense' as const, values: values ?? new Float32Array() } };
      const [found = []] =
        values === undefined
          ? []
          : await this.rank(name, [{ ...selection, ...search, limit: limit + 1, offset: 0 }]);
      near.push(found.filter(({ id, score }) => id !== own && score >= threshold).slice(0, limit));
    }
    return near;
  }

  async getPayloads(name: CollectionName, points: PointId[]): Promise<Map<PointId, PointPayload>> {
    return this.#collection(name).getPayloads(points);
  }

  async getVectors(
    name: CollectionName,
    points: PointId[],
    tenant?: TenantId,
  ): Promise<Map<PointId, PointVectors>> {
    return this.#collection(name).getVectors(points, tenant);
  }

  async maxSimilarities(
    name: CollectionName,
    points: PointId[],
    query: TokenVectors,
    tenant?: TenantId,
  ): Promise<Map<PointId, Float32Array>> {
    return this.#collection(name).maxSimilarities(points, query, tenant);
  }

  async getDense(
    name: CollectionName,
    points: PointId[],
    tenant?: TenantId,
  ): Promise<Map<PointId, Float32Array>> {
    return this.#collection(name).getDense(points, tenant);
  }

  async getPoints(name: CollectionName, documents: DocumentKey[]): Promise<StoredPoint[]> {
    return this.#collection(name).getPoints(documents);
  }

  async scanPoints(name: CollectionName, scan: PointScan): Promise<StoredPoint[]> {
    return this.#collection(name).scan(scan);
  }

  async scanDocuments(name: CollectionName, scan: DocumentScan): Promise<ScannedDocument[]> {
    return this.#collection(name).scanDocuments(scan);
  }

  async addVectors(name: CollectionName, vectors: VectorAddition[], vector?: DenseVector): Promise<void> {
    await this.#assertRoom();
    await this.#collection(name).addVectors(vectors, vector);
  }

  async termFactors(name: CollectionName, scheme: SparseScheme, terms: Uint32Array): Promise<Float32Array> {
    return this.#collection(name).termFactors(scheme, terms);
  }

  async ping(): Promise<void> {
    if (this.#closed) throw closed();
  }

  async close(): Promise<void> {
    await this.#change(async () => {
      this.#closed = true;
      const collections = [...this.#open.values()];
      this.#open.clear();
      for (const collection of collections) await collection.close();
    });
  }

  async #createIn(folder: string, collection: Collection): Promise<ZvecCollection> {
    let created: ZvecCollection | undefined;
    try {
      created = await ZvecCollection.create(this.#zvec, collection, folder);
      await writeDefinition(folder, collection);
      return created;
    } catch (thrown) {
      await created?.close();
      await removeFolder(folder);
      throw thrown;
    }
  }

  /** If a memory-mapped file cannot grow, the system kills the process in the middle of a write. */
  async #assertRoom(share = 1): Promise<void> {
    const lack = await this.#disk.lack(0, share);
    if (lack !== undefined) throw new EmbedmillError('store_unavailable', lack, { retryAfter: 10 });
  }

  #collection(name: CollectionName): ZvecCollection {
    if (this.#closed) throw closed();
    const collection = this.#open.get(name);
    if (collection === undefined) throw collectionNotFound(name);
    return collection;
  }

  #change<T>(action: () => Promise<T>): Promise<T> {
    const change = this.#lastChange.then(action);
    this.#lastChange = change.catch(() => undefined);
    return change;
  }
}

function closed(): EmbedmillError {
  return new EmbedmillError('store_unavailable', 'the vector store has been closed');
}
