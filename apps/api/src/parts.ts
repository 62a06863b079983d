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

/** What is done over all tenants’ jobs, by no request. */
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

/** All that the server works with; main.ts makes the real ones, and closes them. */
export interface ApiParts {
  /** Without what only sweeping and recovering do, over all tenants' jobs. */
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
  /** Throws `quota_exhausted` where whoever asks may submit nothing more today. */
  assertQuota?: () => Promise<void>;
  /** In which sources are read. */
  threads: SourceThreads;
  /** What became of webhooks. */
  webhooks: Pick<WebhookQueue, 'deliveries'>;
  store: VectorStore;
  /** All models that can be named now; the user may add some while the server runs. */
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
        | 'filesAgeMs'
      >
    >;
  log: Log;
  /** Of the spool; not looked at by default. */
  disk?: Pick<DiskSpace, 'lack' | 'space'>;
  /** None by default. */
  tracing?: Tracing;
}

/** What the server is made of: what requests use, and what it accounts for them with. */
export interface ServerParts extends ApiParts {
  queue: ApiParts['queue'] & Pick<Queue, 'countUsage' | 'takeTurn' | 'keepTurn' | 'endTurn' | 'apiKeys'>;
  /** Fetches what watched sources have at URLs. */
  openUrl: OpenUrl;
  /** Nobody is limited by default. */
  allowances?: Allowances;
}
