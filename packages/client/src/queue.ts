import type { CallOptions, Connection } from './connection.ts';
import type { Schemas } from './schemas.ts';

/** All bulk work. */
export class Queue {
  readonly #server: Connection;

  constructor(server: Connection) {
    this.#server = server;
  }

  /** Stops it until it is resumed; what workers have in hand is finished. */
  pause(options: CallOptions = {}): Promise<{ paused: boolean }> {
    return this.#server.read((api, init) => api.POST('/api/v1/queue/pause', init), options);
  }

  resume(options: CallOptions = {}): Promise<{ paused: boolean }> {
    return this.#server.read((api, init) => api.POST('/api/v1/queue/resume', init), options);
  }

  /** Work to go. */
  backlog(options: CallOptions = {}): Promise<Schemas['Backlog']> {
    return this.#server.read((api, init) => api.GET('/api/v1/backlog', init), options);
  }
}
