import { asEmbedmillError, EmbedmillError, type Collection } from '@embedmill/jobs';
import { currentPrincipal } from '../access/principal.ts';
import { NO_MAP, type MapRequest, type MapState } from './collection-map.ts';
import { keepMap, keepMapState, readKnownMap, readMapState } from './kept-map.ts';
import { computeMap } from './map-computing.ts';
import type { ApiParts, ServerParts } from '../parts.ts';

/** The most maps that one process computes or holds in line. */
const MOST_TASKS = 8;
const TURN_SECONDS = 60;
/** How often the turn is renewed and the progress is written. */
const TELL_MS = 2000;

interface Task {
  /** The state as last written. */
  state: MapState;
}

/**
 * Computes maps: each process computes one at a time, and each map is computed by one process only. A task runs as the
 * principal who requested it, after the request was answered. Its progress is in the spool, where every process finds
 * it.
 */
export class MapTasks {
  readonly #parts: ApiParts;
  readonly #turns: Pick<ServerParts['queue'], 'takeTurn' | 'keepTurn' | 'endTurn'>;
  readonly #tasks = new Map<string, Task>();
  readonly #stop = new AbortController();
  #last: Promise<void> = Promise.resolve();

  constructor(parts: ApiParts, turns: Pick<ServerParts['queue'], 'takeTurn' | 'keepTurn' | 'endTurn'>) {
    this.#parts = parts;
    this.#turns = turns;
  }

  /** Starts computing a map, unless it is already being computed. Errors: `overloaded`. */
  async start(collection: Collection, request: MapRequest): Promise<MapState> {
    const { tenant = '' } = currentPrincipal();
    const turn = `map ${collection.name} ${collection.createdAt} ${tenant}`;
    const { maps } = this.#parts.spool;
    const running = this.#tasks.get(turn);
    if (running !== undefined) return running.state;
    if (this.#tasks.size >= MOST_TASKS) {
      const message = `this server is already computing ${MOST_TASKS} maps; try again when one is done`;
      throw new EmbedmillError('overloaded', message, { retryAfter: 30 });
    }
    if (!(await this.#turns.takeTurn(turn, TURN_SECONDS))) return readMapState(maps, collection, Date.now());
    const before = await readMapState(maps, collection, Date.now());
    const state: MapState = { ...before, state: 'computing', progress: 0, error: null };
    await keepMapState(maps, collection, state, Date.now());
    this.#tasks.set(turn, { state });
    this.#last = this.#compute(turn, { collection, request, earlier: this.#last });
    return state;
  }

  /** Aborts all tasks. */
  async close(): Promise<void> {
    this.#stop.abort(new EmbedmillError('overloaded', 'the server stopped; compute the map again'));
    await this.#last;
  }

  async #compute(
    turn: string,
    { collection, request, earlier }: { collection: Collection; request: MapRequest; earlier: Promise<void> },
  ): Promise<void> {
    const { store, spool, log } = this.#parts;
    const { maps } = spool;
    let state = this.#tasks.get(turn)?.state ?? NO_MAP;
    let telling: Promise<void> = Promise.resolve();
    // Writes run one after another, so that the last one stays.
    const tell = (change: Partial<MapState>): Promise<void> => {
      const told = (state = { ...state, ...change });
      const task = this.#tasks.get(turn);
      if (task !== undefined) task.state = told;
      const keep = (): Promise<void> => keepMapState(maps, collection, told, Date.now());
      return (telling = telling.then(keep, keep));
    };
    let progress = 0;
    const timer = setInterval(() => {
      void Promise.all([tell({ progress }), this.#turns.keepTurn(turn, TURN_SECONDS)]).catch(() => undefined);
    }, TELL_MS).unref();
    try {
      await earlier;
      this.#stop.signal.throwIfAborted();
      const known = request.update ? await readKnownMap(maps, collection) : undefined;
      const asked =
        known === undefined
          ? request
          : { ...request, method: state.method ?? request.method, fields: state.fields };
      const computed = await computeMap(store, {
        collection,
        request: asked,
        known,
        signal: this.#stop.signal,
        onProgress: (part) => (progress = part),
      });
      await keepMap(maps, collection, computed);
      clearInterval(timer);
      await tell({
        state: 'ready',
        progress: 1,
        computedAt: new Date().toISOString(),
        points: computed.map.points.length,
        total: computed.total,
        method: asked.method,
        fields: asked.fields,
      });
    } catch (thrown) {
      clearInterval(timer);
      const { code, message } = asEmbedmillError(thrown);
      log.warn({ collection: collection.name, code, err: thrown }, 'cannot compute a map');
      await tell({ state: 'failed', error: message }).catch(() => undefined);
    } finally {
      this.#tasks.delete(turn);
      await this.#turns.endTurn(turn).catch(() => undefined);
    }
  }
}
