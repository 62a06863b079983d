import { createHash } from 'node:crypto';
import { jobStateSchema, type JobId, type JobState } from '@embedmill/jobs';
import type { Broker, Listing } from './broker.ts';
import type { IngestRecord } from './ingest-record.ts';

/**
 * In which lists jobs stand, so that a page of them is read without the others. A list is of all jobs or of one tenant's,
 * and in it of all, those of a collection, in a state, of both, or of a source; each is in order of its jobs' _places_.
 *
 * - A place is a job's time of submission and its id, so the order is total and does not change: jobs that come or go
 *   move no others.
 * - A job is listed before it is added, and unlisted after it is removed; its state changes in its lists in the same
 *   step as in its record. So each job stands in all lists that its record belongs to, and a crash leaves entries too
 *   many at most. Whoever reads a list compares what it finds with the record, and mends what does not fit.
 * - Jobs of earlier versions, or that a broker has forgotten lists of, are listed again by the sweep of the retention.
 */
export type ListedRecord = Pick<
  IngestRecord,
  'id' | 'collection' | 'tenant' | 'state' | 'label' | 'sourceName'
>;

/** What a list is of; what is not named may be anything. */
export interface ListOf {
  tenant?: string | undefined;
  collection?: string | undefined;
  state?: JobState | undefined;
  source?: string | undefined;
}

/** Nine digits to the base of 36 are enough until the year 5188. */
const TIME_DIGITS = 9;
const SEPARATOR = '.';

/** What an entry of a list looks like, and so what a page goes on after. */
export const PLACE = /^[0-9a-z]{9}\.[A-Za-z0-9_-]{1,128}$/;

/** Where a job stands in each of its lists: the later, the greater. */
export function placeOf(id: JobId, createdAt: number): string {
  return `${createdAt.toString(36).padStart(TIME_DIGITS, '0')}${SEPARATOR}${id}`;
}

/** Whose place it is. */
export function idAt(place: string): JobId {
  return place.slice(TIME_DIGITS + SEPARATOR.length) as JobId;
}

/** When it was submitted. */
export function timeAt(place: string): number {
  return Number.parseInt(place.slice(0, TIME_DIGITS), 36);
}

/** The list that is asked for by all that is named, or the nearest one that has all of that and more. */
export function listName({ tenant, collection, state, source }: ListOf): string {
  const of = source === undefined ? [collection ?? null, state ?? null] : [digestOf(source)];
  return `jobs:${JSON.stringify([tenant ?? null, ...of])}`;
}

/** The lists that a job stands in by its state. */
function listsByState({ tenant, collection, state }: ListedRecord): string[] {
  return scopesOf(tenant).flatMap((scope) => [
    listName({ tenant: scope, state }),
    listName({ tenant: scope, state, collection: collection.name }),
  ]);
}

/** All lists that a job stands in. */
export function listsOf(record: ListedRecord): string[] {
  const { tenant, collection, label, sourceName } = record;
  const sources = new Set([label, ...(sourceName === undefined ? [] : [sourceName])]);
  const lasting = scopesOf(tenant).flatMap((scope) => [
    listName({ tenant: scope }),
    listName({ tenant: scope, collection: collection.name }),
    ...[...sources].map((source) => listName({ tenant: scope, source })),
  ]);
  return [...lasting, ...listsByState(record)];
}

/** What changes in the lists where a job is in another state than before; undefined where it is not. */
export function stateChange(record: ListedRecord, before: JobState, createdAt: number): Listing | undefined {
  if (record.state === before) return undefined;
  return {
    place: placeOf(record.id, createdAt),
    from: listsByState({ ...record, state: before }),
    to: listsByState(record),
  };
}

/** Puts a job into its lists, and out of those of other states. */
export async function list(broker: Broker, record: ListedRecord, createdAt: number): Promise<void> {
  const to = listsOf(record);
  const from = listsOfAnyState(record).filter((name) => !to.includes(name));
  await broker.list({ place: placeOf(record.id, createdAt), from, to });
}

/** Takes a job out of all its lists. */
export async function unlist(broker: Broker, record: ListedRecord, createdAt: number): Promise<void> {
  const place = placeOf(record.id, createdAt);
  await broker.list({ place, from: [...new Set([...listsOf(record), ...listsOfAnyState(record)])], to: [] });
}

function listsOfAnyState(record: ListedRecord): string[] {
  return jobStateSchema.options.flatMap((state) => listsByState({ ...record, state }));
}

function scopesOf(tenant: string | undefined): (string | undefined)[] {
  return tenant === undefined ? [undefined] : [undefined, tenant];
}

/** A source's name may be an address of thousands of characters. */
function digestOf(source: string): string {
  return createHash('sha256').update(source).digest('base64url').slice(0, 22);
}
