/**
 * How long engines have worked for each shard in hand. A batch has chunks of many shards: its time is theirs by their
 * tokens. Equal chunks are computed once, for the shard that had it first.
 *
 * One a worker: told by the encoders of all its models, and taken by the pipeline when the shard is settled or given back.
 */
export class EngineTime {
  readonly #seconds = new Map<string, number>();

  /** A batch has run: `tokens` are those of each shard in it, as `job-index`. */
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
