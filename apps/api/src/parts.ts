import type { Log } from '@embedmill/logs';
import type { Queue, WebhookQueue } from '@embedmill/queue';
import type { Metrics } from '@embedmill/metrics';
import type { ModelSummary } from '@embedmill/models';
import type { Spool } from '@embedmill/sources';
import type { Tracing } from '@embedmill/tracing';
import type { VectorStore } from '@embedmill/vector-store';
import type { ApiConfig } from './config.ts';

/** All that the server works with; main.ts makes the real ones, and closes them. */
export interface ApiParts {
  /** Without what only sweeping and recovering do, over all tenants' jobs. */
  queue: Omit<Queue, 'retainedJobs' | 'remove' | 'takeTurn' | 'onReturn'>;
  spool: Pick<
    Spool,
    | 's3'
    | 'receive'
    | 'removeSource'
    | 'removeJob'
    | 'collectFailures'
    | 'readReports'
    | 'readSource'
    | 'readManifest'
    | 'keepRecord'
    | 'readRecord'
    | 'forgetRecord'
  >;
  /** What became of webhooks. */
  webhooks: Pick<WebhookQueue, 'deliveries'>;
  store: VectorStore;
  /** All models that can be named now; the user may add some while the server runs. */
  models: () => Promise<readonly ModelSummary[]>;
  metrics: Metrics<'api'>;
  config: Pick<ApiConfig, 'sourceFolder' | 's3Sources' | 's3Targets' | 'maxUploadBytes' | 'queryTimeoutMs'> &
    Partial<Pick<ApiConfig, 'names' | 'access' | 'limits' | 'storeReads' | 'aliases' | 'tokenIds'>>;
  log: Log;
  /** None by default. */
  tracing?: Tracing;
}
