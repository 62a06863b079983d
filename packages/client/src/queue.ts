import type { CallOptions, Connection } from './connection.ts';
import type { Schemas } from './schemas.ts';

/** All bulk work. */
export class Queue {
  readonly #server: Connection;

  constructor(server: Connection) {
    this.#server = server;
  }

  /** Pauses all bulk work until it is resumed; workers finish the shards that they are processing. */
  pause(options: CallOptions = {}): Promise<{ paused: boolean }> {
    return this.#server.read((api, init) => api.POST('/api/v1/queue/pause', init), options);
  }

  resume(options: CallOptions = {}): Promise<{ paused: boolean }> {
    return this.#server.read((api, init) => api.POST('/api/v1/queue/resume', init), options);
  }

  /** The pending work. */
  backlog(options: CallOptions = {}): Promise<Schemas['Backlog']> {
    return this.#server.read((api, init) => api.GET('/api/v1/backlog', init), options);
  }
}
