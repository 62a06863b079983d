/** What the API answers, as far as the console reads it and `@embedmill/jobs` has no type of it. */
import type { Collection, Job } from '@embedmill/jobs';

export interface Principal {
  readonly name: string;
  /** Whether nobody is asked for a key. */
  readonly everyone: boolean;
  readonly scopes: readonly ('submit' | 'search' | 'admin')[];
  readonly tenant: string | null;
  readonly collections: readonly string[] | null;
}

export interface SignIn {
  readonly required: boolean;
  readonly keys: boolean;
  readonly oidc: {
    readonly issuer: string;
    readonly audience: string;
    readonly clientId: string | null;
    readonly scopes: readonly string[];
  } | null;
}

export interface JobsPage {
  readonly jobs: Job[];
  readonly next: string | null;
}

export interface CollectionView extends Collection {
  readonly points: number;
  readonly documents: number;
}

export interface CountedCollection extends CollectionView {
  readonly tenants: readonly { tenant: string; documents: number }[];
  readonly sources: readonly { source: string | null; documents: number }[];
}

export interface Settled {
  readonly documents: number;
  readonly failed: number;
  readonly tokens: number;
}

export interface Slot extends Settled {
  /** Milliseconds. */
  readonly at: number;
}

export interface WorkerModel {
  readonly model: string;
  readonly state: 'loading' | 'downloading' | 'serving' | 'failed';
  readonly devices: readonly string[];
  readonly tokensPerSecond: number;
  readonly calibration: { readonly tokensPerSecond: number; readonly measuredAt: string } | null;
  readonly download: {
    readonly file: string;
    readonly receivedBytes: number;
    readonly totalBytes: number | null;
  } | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export interface WorkerNote {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly startedAt: string;
  readonly models: readonly WorkerModel[];
  readonly shards: number;
  readonly mostShards: number;
  readonly jobs: readonly string[];
  readonly memoryBytes: number;
  readonly engineRestarts: number;
}

export interface PartHealth {
  readonly part: 'queue' | 'store' | 'spool' | 'disk' | 'memory';
  readonly ok: boolean;
  readonly detail: string | null;
  readonly usedBytes: number | null;
  readonly totalBytes: number | null;
}

export interface OverviewProblem {
  readonly runbook: string;
  readonly severity: 'critical' | 'warning' | 'info';
  readonly detail: string;
  readonly means: string;
  readonly todo: string;
}

export interface Overview {
  readonly at: string;
  readonly tenant: string | null;
  readonly paused: boolean;
  readonly rates: {
    readonly documentsPerSecond: number;
    readonly tokensPerSecond: number;
    readonly hour: Settled;
    readonly slotSeconds: number;
    readonly slots: readonly Slot[];
  } | null;
  readonly backlog: {
    readonly tokens: number;
    readonly documents: number;
    readonly seconds: number | null;
    readonly models: readonly {
      readonly model: string;
      readonly tokens: number;
      readonly documents: number;
    }[];
  };
  readonly jobs: { readonly waiting: number; readonly active: number } | null;
  readonly workers: readonly WorkerNote[] | null;
  readonly health: readonly PartHealth[] | null;
  readonly problems: readonly OverviewProblem[] | null;
}

export interface AliasView {
  readonly name: string;
  readonly collection: string;
}

export interface ModelView {
  readonly name: string;
  readonly repository?: string;
  readonly kind: string;
  readonly attentions: boolean;
  readonly images: boolean;
  readonly dims: number;
  readonly matryoshka: readonly number[];
  readonly maxTokens: number;
  readonly bundled: boolean;
  readonly local: boolean;
  readonly license: string;
  readonly languages: readonly string[] | null;
  readonly bytes: number | null;
  readonly available: boolean;
  readonly workers: readonly WorkerModel[];
}

export interface PointView {
  readonly point: string;
  readonly id: string;
  readonly tenant?: string;
  readonly chunk: number;
  readonly chunks: number;
  readonly title: string | null;
  readonly text: string;
  readonly image: string | null;
  readonly source: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface WeightedTerm {
  readonly term: string;
  readonly weight: number;
}

export interface StoredChunk {
  readonly index: number;
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly terms: Readonly<Record<string, readonly WeightedTerm[]>>;
}

export interface StoredDocument {
  readonly id: string;
  readonly tenant: string;
  readonly title: string | null;
  readonly text: string;
  readonly image: string | null;
  readonly source: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly chunks: readonly StoredChunk[];
  readonly next?: number;
}

export interface KeyView {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Principal['scopes'][number][];
  readonly tenant?: string;
  readonly collections?: readonly string[];
  readonly expires?: string;
  readonly expired: boolean;
}

export interface JobDetails {
  readonly waitsFor: { readonly code: string; readonly message: string } | null;
  readonly shards: { readonly all: number; readonly queued: number; readonly settled: number };
  readonly stages: readonly { readonly stage: string; readonly seconds: number }[];
  readonly usage: {
    readonly documents: number;
    readonly tokens: number;
    readonly engineSeconds: number;
    readonly cost: number | null;
  };
}

export interface MapState {
  readonly state: 'none' | 'computing' | 'ready' | 'failed';
  readonly progress: number;
  readonly error: string | null;
  readonly computedAt: string | null;
  readonly points: number;
  readonly total: number;
  readonly fields: readonly string[];
}

/** By columns: the n-th entry of each is of the n-th point. */
export interface MapPoints {
  readonly points: readonly string[];
  readonly documents: readonly string[];
  readonly chunks: readonly number[];
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly cluster: readonly number[];
  readonly values: Readonly<Record<string, readonly (string | number | boolean | null)[]>>;
  readonly clusters: readonly {
    readonly x: number;
    readonly y: number;
    readonly size: number;
    readonly words: readonly string[];
  }[];
}
