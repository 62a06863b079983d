import {
  EmbedmillError,
  NO_COLLECTION,
  parseKept,
  type CollectionName,
  type JobId,
  type TenantId,
} from '@embedmill/jobs';
import { parseRecord } from '@embedmill/queue';
import { ownedSchema } from '../batches/client-records.ts';
import type { ClientRecords, ClientUploads } from '../batches/client-records.ts';
import type { ApiParts } from '../parts.ts';
import { keptSourceSchema } from '../sources/watched-source.ts';
import { currentPrincipal, ownTenant } from './principal.ts';
import { seen, seenTarget, seesJob } from './seen.ts';

/** The spool's part of the tenant view: its data is accessed by jobs, which `queue` returns only if they are visible. */
export function spoolView(spool: ApiParts['spool'], queue: ApiParts['queue']): ApiParts['spool'] {
  const batches = recordsView(spool.batches);
  return {
    s3: spool.s3,
    receive: (job, body, options) => spool.receive(job, body, options),
    // Sources and manifests are named by records that this principal was given.
    readSource: (source, offset, length) => spool.readSource(source, offset, length),
    readManifest: (job, section, cursor) => spool.readManifest(job, section, cursor),
    keepRecord: (job, record, state) => spool.keepRecord(job, record, state),
    forgetRecord: (job) => spool.forgetRecord(job),
    readRecord: async (job, state) => {
      const principal = currentPrincipal();
      const record = await spool.readRecord(job, state);
      if (record === undefined) return undefined;
      const { collection, tenant } = parseRecord(record);
      return seesJob(principal, collection.name, tenant) ? record : undefined;
    },
    keepWatch: async (kind, key, value) => {
      const before = await ownWatch(key);
      if (kind !== 'source' && before === undefined) throw noSource();
      if (kind === 'source') assertOwnWatch(value);
      return spool.keepWatch(kind, key, value);
    },
    readWatch: async (kind, key) => {
      const source = await ownWatch(key);
      return source === undefined || kind === 'source' ? source : spool.readWatch(kind, key);
    },
    watches: async () => {
      const keys: string[] = [];
      for (const key of await spool.watches()) if ((await ownWatch(key)) !== undefined) keys.push(key);
      return keys;
    },
    removeWatch: async (key) => {
      if ((await ownWatch(key)) === undefined) throw noSource();
      return spool.removeWatch(key);
    },
    maps: {
      keep: (of, part, bytes, tenant) => spool.maps.keep(seenMap(of), part, bytes, tenantOf(tenant)),
      find: (of, part, tenant) => spool.maps.find(seenMap(of), part, tenantOf(tenant)),
      // The store let this principal delete the collection.
      removeAll: (name) => spool.maps.removeAll(name),
    },
    files: recordsView(spool.files),
    datasets: recordsView(spool.datasets),
    batches,
    uploads: uploadsView(spool.uploads),
    batchFaults: {
      read: async (id) => ((await batches.read(id)) === undefined ? undefined : spool.batchFaults.read(id)),
    },
    removeSource: (source) => spool.removeSource(source),
    // The queue let this principal forget the job, which is no longer visible to anyone.
    removeJob: (job) => spool.removeJob(job),
    collectFailures: async (job, from, retry, wanted) => {
      await requireJob(job);
      return spool.collectFailures(job, from, retry, wanted);
    },
    readFiles: async (job) => {
      await requireJob(job);
      return spool.readFiles(job);
    },
    readReports: (job, kind) => {
      // Checked now, because the reports are read later, when the request's context may have ended.
      const isSeen = requireJob(job);
      isSeen.catch(() => undefined);
      return (async function* () {
        await isSeen;
        yield* spool.readReports(job, kind);
      })();
    },
  };

  async function ownWatch(key: string): Promise<unknown> {
    const source = await spool.readWatch('source', key);
    return source !== undefined && seesWatch(source) ? source : undefined;
  }

  async function requireJob(id: JobId): Promise<void> {
    if ((await queue.getJob(id)) === undefined)
      throw new EmbedmillError('job_not_found', `there is no job ${id}`);
  }
}

/** Clients' files and batches: a tenant's own, and none for principals restricted to some collections. */
function recordsView(records: ClientRecords): ClientRecords {
  const read = async (id: string): Promise<unknown> => {
    const record = await records.read(id);
    return record !== undefined && seesRecord(record) ? record : undefined;
  };
  return {
    keep: async (id, record) => {
      seenTarget(NO_COLLECTION);
      const before = await records.read(id);
      if (!seesRecord(record) || (before !== undefined && !seesRecord(before)))
        throw new EmbedmillError('forbidden', 'this belongs to another tenant');
      return records.keep(id, record);
    },
    read,
    all: async () => (await records.all()).filter(seesRecord),
    remove: async (id) => {
      const before = await records.read(id);
      if (before === undefined || seesRecord(before)) await records.remove(id);
    },
    write: (id, body) => {
      seenTarget(NO_COLLECTION);
      return records.write(id, body);
    },
  };
}

function seenMap<Of extends { name: string }>(of: Of): Of {
  seen(of.name as CollectionName);
  return of;
}

const tenantOf = (tenant: string | undefined): string | undefined =>
  ownTenant(tenant as TenantId | undefined);

/** Parts are accessed through the record of their upload. */
function uploadsView(uploads: ClientUploads): ClientUploads {
  const records = recordsView(uploads);
  const requireOwn = async (id: string): Promise<void> => {
    if ((await records.read(id)) === undefined)
      throw new EmbedmillError('file_not_found', 'there is no such upload');
  };
  return {
    ...records,
    writePart: async (id, part, body) => {
      await requireOwn(id);
      return uploads.writePart(id, part, body);
    },
    parts: async (id) => {
      await requireOwn(id);
      return uploads.parts(id);
    },
  };
}

function seesRecord(record: unknown): boolean {
  return seesJob(currentPrincipal(), NO_COLLECTION, ownedSchema.parse(record).tenant);
}

function seesWatch(source: unknown): boolean {
  const { collection, tenant } = parseKept(keptSourceSchema, source);
  return seesJob(currentPrincipal(), collection, tenant);
}

function assertOwnWatch(source: object): void {
  if (!seesWatch(source)) throw new EmbedmillError('forbidden', 'the source belongs to another tenant');
}

function noSource(): EmbedmillError {
  return new EmbedmillError('source_not_found', 'there is no such source');
}
