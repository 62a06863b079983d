import { EmbedmillError, type CollectionName, type Job, type JobId, type TenantId } from '@embedmill/jobs';
import type { DocumentKey, VectorStore } from '@embedmill/vector-store';
import { FairTurns } from '../http/fair-turns.ts';
import type { ApiParts } from '../parts.ts';
import { clientSignal } from '../http/request-life.ts';
import { allows, currentCollection, currentPrincipal, EVERYONE, ownTenant } from './principal.ts';
import type { QueryUsage } from './query-usage.ts';
import type { Quotas } from './quotas.ts';
import { seen, seenTarget, seesCollection, seesJob, seesUsage } from './seen.ts';
import { spoolView } from './spool-view.ts';

/** The default number of concurrent reads of the store. */
const STORE_READS = 4;

/** Records and limits the usage of requests. */
export type Accounting = Pick<Quotas, 'check'> & Pick<QueryUsage, 'add'>;

const NO_ACCOUNTING: Accounting = { check: () => Promise.resolve(), add: () => {} };

/**
 * The one place that enforces tenant isolation: store, queue and spool as the principal of the current request may use them,
 * with only its tenant and its collections. Routes get nothing else, so none can forget it. The tenant is set in every call,
 * whatever the request says; a request that names another tenant is refused. What belongs to others looks like what does not
 * exist. Outside of a request nothing is accessible.
 */
export function tenantView(parts: ApiParts, accounting: Accounting = NO_ACCOUNTING): ApiParts {
  const queue = queueView(parts.queue, accounting);
  const webhooks: ApiParts['webhooks'] = {
    deliveries: async (id) => ((await queue.getJob(id)) === undefined ? [] : parts.webhooks.deliveries(id)),
  };
  const store = storeView(parts.store, new FairTurns(parts.config.storeReads ?? STORE_READS));
  return {
    ...parts,
    assertQuota: async () => accounting.check(currentPrincipal(), 'job'),
    queue,
    webhooks,
    store,
    spool: spoolView(parts.spool, queue),
  };
}

/** Reads take turns by principal, and stop for a client that has disconnected. */
function storeView(store: VectorStore, reads: FairTurns): VectorStore {
  const read = <T>(call: () => Promise<T>): Promise<T> =>
    reads.run(currentPrincipal().name, clientSignal(), call);
  return {
    description: store.description,
    createCollection: async (collection) => store.createCollection(ofAllTenants(collection)),
    getCollection: async (name) => (seesCollection(name) ? store.getCollection(name) : undefined),
    listCollections: async () => {
      const { collections } = currentPrincipal();
      const all = await store.listCollections();
      return all.filter(({ name }) => collections === undefined || collections.has(name));
    },
    addField: async (name, field, type) => store.addField(ofAllTenants({ name }).name, field, type),
    updateCollection: async (collection, known) => store.updateCollection(ofAllTenants(collection), known),
    deleteCollection: async (name) => store.deleteCollection(ofAllTenants({ name }).name),
    listAliases: async () => {
      const { collections } = currentPrincipal();
      const all = await store.listAliases();
      return all.filter(({ collection }) => collections === undefined || collections.has(collection));
    },
    moveAlias: async (name, collection) => {
      // The current and the new collection change for all their tenants.
      const now = (await store.listAliases()).find((one) => one.name === name);
      for (const one of [now?.collection, collection]) if (one) ofAllTenants({ name: one });
      if (now === undefined && collection === null) ofAllTenants({ name });
      return store.moveAlias(name, collection);
    },
    countPoints: async (name) => read(() => store.countPoints(seen(name), currentPrincipal().tenant)),
    countDocuments: async (name, by, tenant) => store.countDocuments(seen(name), by, ownTenant(tenant)),
    countLacking: async (name, vector) => read(() => store.countLacking(ofAllTenants({ name }).name, vector)),
    findDocuments: async (name, keys) => read(() => store.findDocuments(seen(name), keys.map(ownKey))),
    replaceDocuments: async () => refuseWrite(),
    deleteDocuments: async (name, keys, sequence, known) =>
      store.deleteDocuments(seen(name), keys.map(ownKey), sequence, known),
    confirmDocuments: async () => refuseWrite(),
    removeOvertaken: async () => refuseWrite(),
    takeBack: async () => refuseWrite(),
    purgeTombstones: async () => refuseWrite(),
    search: async (name, search) =>
      read(() => store.search(seen(name), { ...search, tenant: ownTenant(search.tenant) })),
    rank: async (name, searches) =>
      read(() =>
        store.rank(
          seen(name),
          searches.map((search) => ({ ...search, tenant: ownTenant(search.tenant) })),
        ),
      ),
    findNear: async (name, points, search) =>
      read(() => store.findNear(seen(name), points, { ...search, tenant: ownTenant(search.tenant) })),
    getPayloads: async (name, points) => {
      const payloads = await read(() => store.getPayloads(seen(name), points));
      const tenant = currentPrincipal().tenant;
      if (tenant === undefined) return payloads;
      return new Map([...payloads].filter(([, payload]) => payload.tenant === tenant));
    },
    getVectors: async (name, points, tenant) =>
      read(() => store.getVectors(seen(name), points, ownTenant(tenant))),
    getDense: async (name, points, tenant) =>
      read(() => store.getDense(seen(name), points, ownTenant(tenant))),
    getPoints: async (name, keys) => read(() => store.getPoints(seen(name), keys.map(ownKey))),
    scanPoints: async (name, scan) =>
      read(() => store.scanPoints(seen(name), { ...scan, tenant: ownTenant(scan.tenant) })),
    scanDocuments: async (name, scan) =>
      read(() => store.scanDocuments(seen(name), { ...scan, tenant: ownTenant(scan.tenant) })),
    addVectors: async () => refuseWrite(),
    maxSimilarities: async (name, points, query, tenant) =>
      read(() => store.maxSimilarities(seen(name), points, query, ownTenant(tenant))),
    termFactors: async (name, scheme, terms) => read(() => store.termFactors(seen(name), scheme, terms)),
    ping: () => store.ping(),
    close: () => store.close(),
  };
}

/** Concurrent reads of many jobs: each repeatedly occupies the event loop for some milliseconds. */
const JOB_READS = 2;

function queueView(queue: ApiParts['queue'], accounting: Accounting): ApiParts['queue'] {
  const reads = new FairTurns(JOB_READS);
  const inTurn = <T>(read: () => Promise<T>): Promise<T> =>
    reads.run(currentPrincipal().name, clientSignal(), read);
  const getJob = async (id: JobId): Promise<Job | undefined> => {
    const principal = currentPrincipal();
    const job = await queue.getJob(id);
    return job !== undefined && seesJob(principal, job.collection, job.tenant) ? job : undefined;
  };
  return {
    submit: async (job, keep) => {
      const { name, tenant = job.tenant } = currentPrincipal();
      seenTarget(job.collection.name as CollectionName);
      const key = name === EVERYONE.name ? undefined : name;
      return queue.submit({ ...job, tenant, key }, async (record) => {
        // A repeated request returns its job, whatever has been used since.
        await accounting.check({ name, tenant }, 'job');
        await keep?.(record);
      });
    },
    inOrder: async (collection, write) => queue.inOrder(seen(collection as CollectionName), write),
    getJob,
    getSubmission: async (id) => {
      const principal = currentPrincipal();
      const record = await queue.getSubmission(id);
      if (record === undefined) return undefined;
      return seesJob(principal, record.collection.name, record.tenant) ? record : undefined;
    },
    listJobs: async (selection) => {
      const { collections } = currentPrincipal();
      const tenant = ownTenant(selection.tenant as TenantId | undefined);
      return inTurn(() => queue.listJobs({ ...selection, tenant, collections }));
    },
    jobLog: async (id) => {
      await requireJob(id);
      return queue.jobLog(id);
    },
    // This principal created the job, or was allowed to change it.
    noteJob: (id, note) => queue.noteJob(id, note),
    unfinishedJobs: async (collection) => {
      const principal = currentPrincipal();
      const jobs = await queue.unfinishedJobs(collection);
      return jobs.filter((job) => seesJob(principal, job.collection, job.tenant));
    },
    restore: async (record) => {
      if (seesJob(currentPrincipal(), record.collection.name, record.tenant)) return queue.restore(record);
      throw new EmbedmillError('job_not_found', `there is no job ${record.id}`);
    },
    cancel: async (id) => {
      await requireJob(id);
      const job = await queue.cancel(id);
      const text = `${currentPrincipal().name} cancelled it`;
      queue.noteJob(id, { level: 'info', event: 'cancel_asked', text });
      return job;
    },
    prioritize: async (id, priority) => {
      await requireJob(id);
      const job = await queue.prioritize(id, priority);
      const text = `${currentPrincipal().name} set its priority to ${priority}`;
      queue.noteJob(id, { level: 'info', event: 'priority_changed', text });
      return job;
    },
    forget: async (id) => {
      await requireJob(id);
      return queue.forget(id);
    },
    query: async (query, options) => {
      const principal = currentPrincipal();
      const collection = currentCollection();
      await accounting.check(principal, 'query');
      const result = await queue.query(query, options);
      if ('tokens' in result) {
        const tokens = result.tokens.reduce((sum, one) => sum + one, 0);
        const key = principal.name === EVERYONE.name ? '' : principal.name;
        const { tenant = '' } = principal;
        accounting.add({ key, tenant, collection: collection ?? '', model: query.model }, tokens);
      }
      return result;
    },
    usage: async (from, to) => {
      const principal = currentPrincipal();
      const entries = await inTurn(() => queue.usage(from, to));
      return entries.filter((entry) => seesUsage(principal, entry));
    },
    workAhead: async () => {
      const principal = currentPrincipal();
      const entries = await inTurn(() => queue.workAhead());
      return entries.filter((entry) => seesUsage(principal, entry));
    },
    settledLately: (tenant) => {
      if (currentPrincipal().collections !== undefined) return refuseRates();
      return queue.settledLately(ownTenant(tenant as TenantId | undefined));
    },
    workers: async () => {
      const workers = await queue.workers();
      if (allows(currentPrincipal(), 'admin')) return workers;
      // The models and their states are no secret; where they run, and for whom, is.
      const present = workers.present.map((note) => ({
        ...note,
        id: '',
        host: '',
        pid: 0,
        jobs: [],
        shards: 0,
      }));
      return { present, gone: [] };
    },
    servingOf: (model) => queue.servingOf(model),
    announceModel: (model) => queue.announceModel(model),
    depth: () => queue.depth(),
    backlog: () => queue.backlog(),
    memory: () => queue.memory(),
    pause: () => queue.pause(),
    resume: () => queue.resume(),
    isPaused: () => queue.isPaused(),
    ping: () => queue.ping(),
    close: () => queue.close(),
  };

  async function requireJob(id: JobId): Promise<void> {
    if ((await getJob(id)) === undefined) throw new EmbedmillError('job_not_found', `there is no job ${id}`);
  }
}

function ownKey({ tenant, id }: DocumentKey): DocumentKey {
  return { id, tenant: ownTenant(tenant) ?? tenant };
}

/** A change that affects all tenants of a collection. */
function ofAllTenants<C extends { name: string }>(collection: C): C & { name: CollectionName } {
  const { tenant, name } = currentPrincipal();
  if (tenant !== undefined || !seesCollection(collection.name)) {
    const message = `${name} may not create, change or delete the collection ${JSON.stringify(collection.name)}`;
    throw new EmbedmillError('forbidden', message);
  }
  return collection as C & { name: CollectionName };
}

/** Counted by tenant, not by collection. */
function refuseRates(): never {
  throw new EmbedmillError('forbidden', 'rates cover all collections, but this key is restricted to some');
}

/** Documents are written only by jobs, whose tenant the workers enforce. */
function refuseWrite(): never {
  throw new EmbedmillError('internal', 'the API writes documents through jobs only');
}
