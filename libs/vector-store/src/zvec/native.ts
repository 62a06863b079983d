import { asEmbedmillError, EmbedmillError, type ErrorCode } from '@embedmill/jobs';
import type * as zvecModule from '@zvec/zvec';
import type { ZVecError, ZVecStatus } from '@zvec/zvec';

export type Zvec = typeof zvecModule;

/**
 * The native library. Only the process that owns the store loads it, because it takes memory, and throws on unsupported
 * platforms, where Qdrant may still be used.
 */
export async function loadZvec(): Promise<Zvec> {
  try {
    const zvec = await import('@zvec/zvec');
    initialize(zvec);
    return zvec;
  } catch (thrown) {
    throw new EmbedmillError(
      'store_unavailable',
      `the embedded vector store (zvec) does not load on ${process.platform}-${process.arch}; set QDRANT_URL to use Qdrant`,
      { cause: thrown },
    );
  }
}

let initialized = false;

function initialize(zvec: Zvec): void {
  if (initialized) return;
  initialized = true;
  // Errors are also thrown; zvec's log additionally reports filters on list columns as errors.
  zvec.ZVecInitialize({ logLevel: zvec.ZVecLogLevel.FATAL });
}

let lastTurn: Promise<unknown> = Promise.resolve();

/**
 * Runs native work exclusively in this process, in order of the calls. zvec 0.7.0 runs all queries on one thread pool
 * with one thread per core, in which concurrent queries may deadlock.
 */
export function inTurn<T>(action: () => T | Promise<T>): Promise<T> {
  const turn = lastTurn.then(action);
  lastTurn = turn.catch(() => undefined);
  return turn;
}

/** Converts zvec's exception to an error of the catalogue that says where it occurred. */
export function fromZvec(thrown: unknown, where: string): EmbedmillError {
  const error = asEmbedmillError(thrown);
  if (error === thrown) return error;
  const code = (thrown as Partial<ZVecError> | null)?.code;
  return new EmbedmillError(errorCode(code), `${where}: ${error.message}`, { cause: thrown });
}

/** @throws EmbedmillError if one of the statuses is not ok. */
export function assertOk(statuses: ZVecStatus | ZVecStatus[], where: string): void {
  for (const status of Array.isArray(statuses) ? statuses : [statuses]) {
    if (status.ok) continue;
    throw new EmbedmillError(errorCode(status.code), `${where}: ${status.message} (${status.code})`);
  }
}

/** Invalid arguments are permanent; everything else (a full disk, a lock, memory) may be temporary. */
function errorCode(code: string | undefined): ErrorCode {
  return code === 'ZVEC_INVALID_ARGUMENT' || code === 'ZVEC_NOT_SUPPORTED'
    ? 'store_rejected'
    : 'store_unavailable';
}
