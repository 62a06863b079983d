import { PostgresConnection } from 'bullmq';
import { EmbedmillError } from '@embedmill/jobs';
import { TABLES } from './postgres-tables.ts';

/**
 * A worker's connection of a broker whose tables exist. Skips another check, which would make it fail forever if it
 * failed once.
 */
export class ReadyConnection extends PostgresConnection {
  override waitUntilReady(): Promise<void> {
    return Promise.resolve();
  }
}

/** Errors: `invalid_config`, without the address, which may contain a password. */
export function assertAddress(url: string): void {
  // The host may be missing between user and database: then ?host= names a folder with a socket.
  if (/^postgres(ql)?:\/\//.test(url) && URL.canParse(url.replace('@/', '@host/'))) return;
  throw new EmbedmillError(
    'invalid_config',
    'the address of PostgreSQL (QUEUE_URL) is wrong; expected postgres://[user:password@]host[:port]/database, ' +
      'with %-encoded characters where they are not letters or digits',
  );
}

/** One process at a time, because concurrent creation of the same table fails. */
export async function makeTables(connection: PostgresConnection): Promise<void> {
  const client = await connection.pool.connect();
  try {
    await client.query(`BEGIN; SELECT pg_advisory_xact_lock(hashtext('embedmill')); ${TABLES}; COMMIT`);
  } finally {
    client.release();
  }
}
