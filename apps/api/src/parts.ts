import type { Logger } from 'pino';
import type { Queue } from '@embedmill/queue';
import type { Metrics } from '@embedmill/metrics';
import type { Spool } from '@embedmill/sources';
import type { VectorStore } from '@embedmill/vector-store';
import type { ApiConfig } from './config.ts';

/** What the API shows and checks of a model of the registry. */
export interface ModelSummary {
  name: string;
  dims: number;
  /** Smaller sizes that its vectors may be cut to. */
  matryoshka: readonly number[];
  maxTokens: number;
  pooling: string;
  bundled: boolean;
  license: string;
}

/** All that the server works with; main.ts makes the real ones, and closes them. */
export interface ApiParts {
  queue: Queue;
  spool: Spool;
  store: VectorStore;
  models: readonly ModelSummary[];
  metrics: Metrics<'api'>;
  config: Pick<ApiConfig, 'sourceFolder' | 'maxUploadBytes' | 'queryTimeoutMs'>;
  log: Logger;
}
