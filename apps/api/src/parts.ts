import type { DiskSpace } from '@embedmill/jobs';
import type { Log } from '@embedmill/logs';
import type { Queue, WebhookQueue } from '@embedmill/queue';
import type { Metrics } from '@embedmill/metrics';
import type { OpenUrl, Spool, StoredMaps } from '@embedmill/sources';
import type { Tracing } from '@embedmill/tracing';
import type { VectorStore } from '@embedmill/vector-store';
import type { Allowances } from './access/allowances.ts';
import type { ClientRecords, ClientUploads } from './batches/client-records.ts';
import type { ApiConfig } from './config.ts';
import type { ModelList } from './models/model-list.ts';
import type { SourceThreads } from './sources/source-threads.ts';

/** Work on all tenants’ jobs, outside of requests. */
type Uncontrolled =
  | 'retainedJobs'
  | 'remove'
  | 'takeTurn'
  | 'keepTurn'
  | 'endTurn'
  | 'onReturn'
  | 'oldestSequence'
  | 'countUsage'
  | 'countSettled'
  | 'apiKeys';

/** The parts of the server; main.ts creates the real ones, and closes them. */
export interface ApiParts {
  /** Without the operations for sweeping and recovery, which affect all tenants' jobs. */
  queue: Omit<Queue, Uncontrolled>;
  spool: Pick<
    Spool,
    | 's3'
    | 'receive'
    | 'removeSource'
    | 'removeJob'
    | 'collectFailures'
    | 'readReports'
    | 'readFiles'
    | 'readSource'
    | 'readManifest'
    | 'keepRecord'
    | 'readRecord'
    | 'forgetRecord'
    | 'keepWatch'
    | 'readWatch'
    | 'watches'
    | 'removeWatch'
  > & {
    files: ClientRecords;
    maps: Pick<StoredMaps, 'keep' | 'find' | 'removeAll'>;
    batches: ClientRecords;
    uploads: ClientUploads;
    batchFaults: Pick<ClientRecords, 'read'>;
    datasets: ClientRecords;
  };
  /** Throws `quota_exhausted` if the caller may submit nothing more today. */
  assertQuota?: () => Promise<void>;
  /** The threads in which sources are read. */
  threads: SourceThreads;
  /** The outcomes of webhooks. */
  webhooks: Pick<WebhookQueue, 'deliveries'>;
  store: VectorStore;
  /** All currently available models; the user may add some while the server runs. */
  models: ModelList;
  metrics: Metrics<'api'>;
  config: Pick<ApiConfig, 'sourceFolder' | 's3Sources' | 's3Targets' | 'maxUploadBytes' | 'queryTimeoutMs'> &
    Partial<
      Pick<
        ApiConfig,
        | 'prices'
        | 'names'
        | 'corsOrigins'
        | 'pathPrefix'
        | 'access'
        | 'limits'
        | 'storeReads'
        | 'aliases'
        | 'tokenIds'
        | 'metadataBytes'
        | 'sectionBytes'
        | 'filesAgeMs'
      >
    >;
  log: Log;
  /** The disk space of the spool; not checked by default. */
  disk?: Pick<DiskSpace, 'lack' | 'space'>;
  /** None by default. */
  tracing?: Tracing;
}

/** The parts that requests use, and those that account for them. */
export interface ServerParts extends ApiParts {
  queue: ApiParts['queue'] & Pick<Queue, 'countUsage' | 'takeTurn' | 'keepTurn' | 'endTurn' | 'apiKeys'>;
  /** Fetches the URLs of watched sources. */
  openUrl: OpenUrl;
  /** By default, nobody is limited. */
  allowances?: Allowances;
}
