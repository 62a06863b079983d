import { createHash } from 'node:crypto';
import { jobStateSchema, type JobId, type JobState } from '@embedmill/jobs';
import type { Broker, Listing } from './broker.ts';
import type { IngestRecord } from './ingest-record.ts';

/**
 * The lists in which jobs are entered, so that a page of them can be read without the others. A list covers all tenants
 * or one; within that, all jobs, or those of a collection, of a state, of both, or of a source. Each list is in order
 * of its jobs' _places_.
 *
 * - A place is a job's time of submission and its id, so the order is total and stable: jobs that are added or removed
 *   do not move others.
 * - A job is listed before it is added, and unlisted after it is removed; its state changes in its lists and its record
 *   atomically. So each job is in all lists that match its record, and a crash can only leave surplus entries. Readers
 *   of a list compare entries with the record, and repair those that do not match.
 * - The retention's sweep re-lists jobs of earlier versions, and jobs whose lists the broker lost.
 */
export type ListedRecord = Pick<
  IngestRecord,
  'id' | 'collection' | 'tenant' | 'state' | 'label' | 'sourceName'
>;

/** The jobs that a list covers; omitted fields match anything. */
export interface ListOf {
  tenant?: string | undefined;
  collection?: string | undefined;
  state?: JobState | undefined;
  source?: string | undefined;
}

/** Nine base-36 digits suffice until the year 5188. */
const TIME_DIGITS = 9;
const SEPARATOR = '.';

/** The format of a list's entries, and so of a page's cursor. */
export const PLACE = /^[0-9a-z]{9}\.[A-Za-z0-9_-]{1,128}$/;

/** A job's place in each of its lists; later jobs have greater places. */
export function placeOf(id: JobId, createdAt: number): string {
  return `${createdAt.toString(36).padStart(TIME_DIGITS, '0')}${SEPARATOR}${id}`;
}

/** The job of a place. */
export function idAt(place: string): JobId {
  return place.slice(TIME_DIGITS + SEPARATOR.length) as JobId;
}

/** The time of submission. */
export function timeAt(place: string): number {
  return Number.parseInt(place.slice(0, TIME_DIGITS), 36);
}

/** The list that matches the selection exactly, or the smallest one that contains it. */
export function listName({ tenant, collection, state, source }: ListOf): string {
  const of = source === undefined ? [collection ?? null, state ?? null] : [digestOf(source)];
  return `jobs:${JSON.stringify([tenant ?? null, ...of])}`;
}

/** A job's lists that depend on its state. */
function listsByState({ tenant, collection, state }: ListedRecord): string[] {
  return scopesOf(tenant).flatMap((scope) => [
    listName({ tenant: scope, state }),
    listName({ tenant: scope, state, collection: collection.name }),
  ]);
}

/** All lists that contain a job. */
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

/** The changes to the lists when a job's state changes; undefined if it does not. */
export function stateChange(record: ListedRecord, before: JobState, createdAt: number): Listing | undefined {
  if (record.state === before) return undefined;
  return {
    place: placeOf(record.id, createdAt),
    from: listsByState({ ...record, state: before }),
    to: listsByState(record),
  };
}

/** Adds a job to its lists, and removes it from those of other states. */
export async function list(broker: Broker, record: ListedRecord, createdAt: number): Promise<void> {
  const to = listsOf(record);
  const from = listsOfAnyState(record).filter((name) => !to.includes(name));
  await broker.list({ place: placeOf(record.id, createdAt), from, to });
}

/** Removes a job from all its lists. */
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

/** Shortens a source's name, which may be an address of thousands of characters. */
function digestOf(source: string): string {
  return createHash('sha256').update(source).digest('base64url').slice(0, 22);
}
