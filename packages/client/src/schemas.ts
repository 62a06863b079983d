import type { components, paths } from './api.ts';

/** Everything that the API's description names. */
export type Schemas = components['schemas'];

/** As a request takes it: what may be left out may also be undefined. */
export type Input<T> = T extends readonly (infer Entry)[]
  ? Input<Entry>[]
  : T extends object
    ? { [Key in keyof T]: object extends Pick<T, Key> ? Input<T[Key]> | undefined : Input<T[Key]> }
    : T;

/** The query of a GET. */
export type QueryOf<Path extends keyof paths> = Input<
  NonNullable<NonNullable<paths[Path]['get']>['parameters']['query']>
>;

/** The JSON that a POST takes. */
export type BodyOf<Path extends keyof paths> = paths[Path]['post'] extends {
  requestBody?: { content: { 'application/json': infer Json } };
}
  ? Json
  : never;

type Submission = BodyOf<'/api/v1/collections/{name}/jobs'>;
type EmbeddingJob = BodyOf<'/api/v1/jobs'>;

export type Alias = Schemas['Alias'];
export type Collection = Schemas['Collection'];
export type CountedCollection = Schemas['CountedCollection'];
export type DeliveredWebhook = Schemas['WebhookDelivery'];
export type DocumentReport = Schemas['DocumentReport'];
export type FieldReport = Schemas['FieldReport'];
export type Health = Schemas['Health'];
export type Hit = Schemas['Hit'];
export type Job = Schemas['Job'];
export type JobLogLine = Schemas['JobLogLine'];
export type JobState = Job['state'];
export type Key = Schemas['Key'];
export type Model = Schemas['Model'];
export type NearDuplicates = Schemas['NearDuplicates'];
export type Point = Schemas['StoredPoint'];
export type Source = Schemas['Source'];
export type StoredDocument = Schemas['StoredDocument'];
export type UsageReport = Schemas['UsageReport'];
export type Verification = Schemas['Verification'];

export type Filter = Input<Schemas['FilterInput']>;
export type NearDuplicatesRequest = Input<Schemas['NearDuplicatesRequestInput']>;
export type Profile = Input<Schemas['ProfileInput']>;
export type RecommendRequest = Input<Schemas['RecommendRequestInput']>;
export type SearchRequest = Input<Schemas['SearchRequestInput']>;
export type WatchedSource = Input<Schemas['WatchedSourceInput']>;

/** A document as it is submitted. */
export type Document = Input<NonNullable<Submission['documents']>[number]>;
/** What a new key is to be. */
export type NewKey = Input<BodyOf<'/api/v1/keys'>>;
/** Where the server finds documents itself. */
export type ServerSource = Input<NonNullable<Submission['source']>>;
/** What is said of a job in JSON, beside its documents. */
export type JobOptions = Input<Omit<Submission, 'documents' | 'source'>>;
/** The file that a job's vectors go to, and how they are made. */
export type FileTarget = Input<Pick<EmbeddingJob, 'output' | 'profile'>>;
/** Of a job’s failures, those to try again: all that fit each of what is said. */
export type RetrySelection = Input<NonNullable<BodyOf<'/api/v1/jobs/{id}/retry'>>>;
export type Webhook = NonNullable<JobOptions['webhook']>;

/** Whether a job has ended, one way or another. */
export function isFinished(state: JobState): boolean {
  switch (state) {
    case 'completed':
    case 'cancelled':
    case 'failed':
      return true;
    case 'queued':
    case 'scanning':
    case 'running':
      return false;
  }
}
