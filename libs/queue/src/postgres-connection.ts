import { PostgresConnection } from 'bullmq';
import { EmbedmillError } from '@embedmill/jobs';
import { TABLES } from './postgres-tables.ts';

/** A worker's connection, of a broker whose tables are there: it need not look again, and fail for ever if it cannot. */
export class ReadyConnection extends PostgresConnection {
  override waitUntilReady(): Promise<void> {
    return Promise.resolve();
  }
}

/** Errors: `invalid_config`, without the address: it may have a password in it. */
export function assertAddress(url: string): void {
  // Between user and database there may be no host: it is a folder with a socket then, named by ?host=.
  if (/^postgres(ql)?:\/\//.test(url) && URL.canParse(url.replace('@/', '@host/'))) return;
  throw new EmbedmillError(
    'invalid_config',
    'the address of PostgreSQL (QUEUE_URL) is wrong; expected postgres://[user:password@]host[:port]/database, ' +
      'with %-encoded characters where they are not letters or digits',
  );
}

/** One process at a time: two that make the same table at once disturb each other. */
export async function makeTables(connection: PostgresConnection): Promise<void> {
  const client = await connection.pool.connect();
  try {
    await client.query(`BEGIN; SELECT pg_advisory_xact_lock(hashtext('embedmill')); ${TABLES}; COMMIT`);
  } finally {
    client.release();
  }
}
