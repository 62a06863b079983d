import { asEmbedmillError, EmbedmillError, type ErrorCode } from '@embedmill/jobs';
import type * as zvecModule from '@zvec/zvec';
import type { ZVecError, ZVecStatus } from '@zvec/zvec';

export type Zvec = typeof zvecModule;

/**
 * The native library. It is loaded by the process that owns the store and by no other: it costs memory, and
 * throws on a platform that it is not built for, where Qdrant may still be used.
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
  // What goes wrong is thrown, too; in its log zvec counts filters on columns of lists as errors.
  zvec.ZVecInitialize({ logLevel: zvec.ZVecLogLevel.FATAL });
}

let lastTurn: Promise<unknown> = Promise.resolve();

/**
 * Runs native work while no other native work runs in this process, in the order asked. zvec 0.7.0 runs all queries on
 * one pool of as many threads as there are cores, and queries that run at once may wait for one another there for ever.
 */
export function inTurn<T>(action: () => T | Promise<T>): Promise<T> {
  const turn = lastTurn.then(action);
  lastTurn = turn.catch(() => undefined);
  return turn;
}

/** What zvec threw, as an error of the catalogue that says where. */
export function fromZvec(thrown: unknown, where: string): EmbedmillError {
  const error = asEmbedmillError(thrown);
  if (error === thrown) return error;
  const code = (thrown as Partial<ZVecError> | null)?.code;
  return new EmbedmillError(errorCode(code), `${where}: ${error.message}`, { cause: thrown });
}

/** @throws EmbedmillError when one of the statuses is not ok. */
export function assertOk(statuses: ZVecStatus | ZVecStatus[], where: string): void {
  for (const status of Array.isArray(statuses) ? statuses : [statuses]) {
    if (status.ok) continue;
    throw new EmbedmillError(errorCode(status.code), `${where}: ${status.message} (${status.code})`);
  }
}

/** Bad arguments stay bad; everything else (a full disk, a lock, memory) may be mended. */
function errorCode(code: string | undefined): ErrorCode {
  return code === 'ZVEC_INVALID_ARGUMENT' || code === 'ZVEC_NOT_SUPPORTED'
    ? 'store_rejected'
    : 'store_unavailable';
}
