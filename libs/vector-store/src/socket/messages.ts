import { asEmbedmillError, EmbedmillError, type ErrorCode, type ErrorDetail } from '@embedmill/jobs';
import type { VectorStore } from '../store.ts';

/** The calls available through the socket. Only the process that owns the store closes it. */
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

/** Long answers are sent in parts of bounded size before the result, which is then empty. */
export type Response =
  { id: number; part: unknown } | { id: number; result: unknown } | { id: number; error: ErrorMessage };

/**
 * The target size of a message in bytes; points are split over several messages, but one document's points stay
 * together.
 */
export const MESSAGE_BYTES = 8 * 1024 * 1024;

/** A serialised error of the catalogue, without its cause. */
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

/** The maximum length of a socket's path that every system supports, in bytes. */
const LONGEST_PATH = 103;

/** @throws EmbedmillError `store_unavailable` for a path that the system would truncate or refuse. */
export function checkSocketPath(path: string): void {
  const length = Buffer.byteLength(path);
  if (length <= LONGEST_PATH) return;
  throw new EmbedmillError(
    'store_unavailable',
    `the socket path ${path} has ${length} bytes, but at most ${LONGEST_PATH} are possible; set EMBEDMILL_STORE_SOCKET`,
  );
}
