import { asEmbedmillError, EmbedmillError, type ErrorCode, type ErrorDetail } from '@embedmill/jobs';
import type { VectorStore } from '../store.ts';

/** What can be called through the socket. Closing the store is left to the process that owns it. */
export const METHODS = [
  'createCollection',
  'getCollection',
  'listCollections',
  'updateCollection',
  'addField',
  'deleteCollection',
  'listAliases',
  'moveAlias',
  'countPoints',
  'countLacking',
  'countDocuments',
  'findDocuments',
  'replaceDocuments',
  'deleteDocuments',
  'confirmDocuments',
  'removeOvertaken',
  'takeBack',
  'purgeTombstones',
  'search',
  'rank',
  'findNear',
  'getPayloads',
  'getVectors',
  'getDense',
  'getPoints',
  'scanPoints',
  'scanDocuments',
  'addVectors',
  'termFactors',
  'maxSimilarities',
  'ping',
] as const satisfies Exclude<keyof VectorStore, 'description' | 'loads' | 'close'>[];

export type Method = (typeof METHODS)[number];

export interface Request {
  id: number;
  method: Method;
  args: unknown[];
}

/** What may be long is answered in parts, of a bounded size each, before the result, which is nothing then. */
export type Response =
  { id: number; part: unknown } | { id: number; result: unknown } | { id: number; error: ErrorMessage };

/** What a message should come to at most, in bytes: points are sent in several. One document's are in one all the same. */
export const MESSAGE_BYTES = 8 * 1024 * 1024;

/** An error of the catalogue on its way: what it says, without its cause. */
export interface ErrorMessage {
  code: ErrorCode;
  message: string;
  details: ErrorDetail[];
  retryAfter: number | undefined;
}

export function errorMessage(thrown: unknown): ErrorMessage {
  const { code, message, details, retryAfter } = asEmbedmillError(thrown);
  return { code, message, details, retryAfter };
}

export function errorOf({ code, message, details, retryAfter }: ErrorMessage): EmbedmillError {
  return new EmbedmillError(code, message, { details, ...(retryAfter === undefined ? {} : { retryAfter }) });
}

/** A socket's path may be no longer than this on any system, in bytes. */
const LONGEST_PATH = 103;

/** @throws EmbedmillError `store_unavailable` for a path that the system would cut off or refuse. */
export function checkSocketPath(path: string): void {
  const length = Buffer.byteLength(path);
  if (length <= LONGEST_PATH) return;
  throw new EmbedmillError(
    'store_unavailable',
    `the socket path ${path} has ${length} bytes, but at most ${LONGEST_PATH} are possible; set EMBEDMILL_STORE_SOCKET`,
  );
}
