import type { components, paths } from './api.ts';

/** All named schemas of the API's description. */
export type Schemas = components['schemas'];

/** As in a request: optional fields may also be undefined. */
export type Input<T> = T extends readonly (infer Entry)[]
  ? Input<Entry>[]
  : T extends object
    ? { [Key in keyof T]: object extends Pick<T, Key> ? Input<T[Key]> | undefined : Input<T[Key]> }
    : T;

/** The query of a GET. */
export type QueryOf<Path extends keyof paths> = Input<
  NonNullable<NonNullable<paths[Path]['get']>['parameters']['query']>
>;

/** The JSON body of a POST. */
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

/** A submitted document. */
export type Document = Input<NonNullable<Submission['documents']>[number]>;
/** The properties of a new key. */
export type NewKey = Input<BodyOf<'/api/v1/keys'>>;
/** A source that the server reads itself. */
export type ServerSource = Input<NonNullable<Submission['source']>>;
/** The options of a job in JSON, without its documents. */
export type JobOptions = Input<Omit<Submission, 'documents' | 'source'>>;
/** The file for a job's vectors, and how they are computed. */
export type FileTarget = Input<Pick<EmbeddingJob, 'output' | 'profile'>>;
/** Selects failures of a job to retry: those that match all given criteria. */
export type RetrySelection = Input<NonNullable<BodyOf<'/api/v1/jobs/{id}/retry'>>>;
export type Webhook = NonNullable<JobOptions['webhook']>;

/** Whether a job has finished, whatever its outcome. */
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
