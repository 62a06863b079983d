/**
 * Engine time per shard in progress. A batch has chunks of many shards, so its time is divided among them by tokens. Equal
 * chunks are computed once, for the shard that had them first.
 *
 * There is one per worker: the encoders of all models report to it, and the pipeline takes the time when a shard is settled
 * or returned.
 */
export class EngineTime {
  readonly #seconds = new Map<string, number>();

  /** A batch has run: `tokens` are the tokens of each shard in it, by `job-index`. */
  add(seconds: number, tokens: ReadonlyMap<string, number>): void {
    let all = 0;
    for (const count of tokens.values()) all += count;
    for (const [shard, count] of tokens)
      this.#seconds.set(shard, (this.#seconds.get(shard) ?? 0) + (seconds * count) / all);
  }

  /** Milliseconds for a shard since they were taken last. */
  take(job: string, index: number): number {
    const shard = `${job}-${index}`;
    const seconds = this.#seconds.get(shard) ?? 0;
    this.#seconds.delete(shard);
    return Math.round(seconds * 1000);
  }
}
