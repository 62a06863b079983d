import type { Client } from 'pg';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;

/**
 * A connection that listens on a channel, and reconnects if it is lost.
 *
 * Notifications sent while it is disconnected are lost, so `take` is also called after each connection, and fetches
 * everything there is. It never runs concurrently.
 */
export class PostgresListener {
  readonly #connect: () => Client;
  readonly #channel: string;
  readonly #take: () => Promise<void>;
  #client: Client | undefined;
  #retry: NodeJS.Timeout | undefined;
  #taking: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(connect: () => Client, channel: string, take: () => Promise<void>) {
    this.#connect = connect;
    this.#channel = channel;
    this.#take = take;
  }

  /** Resolves once it listens. */
  static async open(
    connect: () => Client,
    channel: string,
    take: () => Promise<void>,
  ): Promise<PostgresListener> {
    const listener = new PostgresListener(connect, channel, take);
    await listener.#listen();
    return listener;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    await this.#client?.end();
    await this.#taking;
  }

  async #listen(): Promise<void> {
    const client = this.#connect();
    client.on('error', () => {
      // The end event follows.
    });
    client.on('notification', () => this.#notice());
    try {
      await client.connect();
      await client.query(`LISTEN ${client.escapeIdentifier(this.#channel)}`);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    if (this.#closed) return client.end();
    this.#client = client;
    client.on('end', () => this.#listenAgain(FIRST_PAUSE_MS));
    this.#notice();
  }

  #listenAgain(pauseMs: number): void {
    if (this.#closed) return;
    this.#retry = setTimeout(() => {
      this.#listen().catch(() => this.#listenAgain(Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)));
    }, pauseMs);
  }

  #notice(): void {
    this.#taking = this.#taking.then(this.#take).catch(() => {
      // What could not be fetched now is fetched with the next notification; callers have a deadline.
    });
  }
}
