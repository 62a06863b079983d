import type { Job } from '@embedmill/jobs';

/** A document as submitted. */
export interface Value {
  id: string;
  text: string;
  title?: string;
  metadata: { n: number; poison?: boolean };
}

/** A submission's version of a document; without a value, it is deleted. */
export interface Version {
  id: string;
  value: Value | undefined;
}

interface Entry extends Version {
  /** The job of this version; undefined for a single deletion. */
  job: string | undefined;
  /** Its position in the order of acceptance: that of its submission, even if it was retried. */
  place: number;
  /** `failed`: it had no effect; `uncertain`: it may have had one. */
  state: 'decided' | 'failed' | 'uncertain';
}

/** A deletion of all documents that match a condition. */
interface Sweep {
  place: number;
  holds: (value: Value) => boolean;
}

/**
 * What a collection must hold: the effect of everything that was accepted for it, one after another in the order of
 * acceptance.
 */
export class CollectionModel {
  readonly #entries: Entry[] = [];
  readonly #sweeps: Sweep[] = [];
  #place = 0;

  get ids(): string[] {
    return [...new Set(this.#entries.map(({ id }) => id))];
  }

  /** If a document is repeated, the later line counts; a document with a poison fails. */
  submitted({ id: job }: Pick<Job, 'id'>, versions: readonly Version[]): void {
    this.#place += 1;
    for (const version of new Map(versions.map((one) => [one.id, one])).values()) {
      const state = version.value?.metadata.poison === true ? 'failed' : 'decided';
      this.#entries.push({ ...version, job, place: this.#place, state });
    }
  }

  /** Documents that the submission does not have are deleted. */
  synced(job: Pick<Job, 'id'>, versions: readonly Version[]): void {
    const had = new Set(versions.map(({ id }) => id));
    this.submitted(job, versions);
    this.#sweeps.push({ place: this.#place, holds: ({ id }) => !had.has(id) });
  }

  deleted(id: string): void {
    this.#place += 1;
    this.#entries.push({ id, value: undefined, job: undefined, place: this.#place, state: 'decided' });
  }

  deletedWhere(holds: Sweep['holds']): void {
    this.#place += 1;
    this.#sweeps.push({ place: this.#place, holds });
  }

  /** The job was cancelled. */
  uncertain(job: string): void {
    for (const entry of this.#entries)
      if (entry.job === job && entry.state === 'decided') entry.state = 'uncertain';
  }

  /** The failed documents of the job were retried, and none failed again. */
  retried(job: string): void {
    for (const entry of this.#entries)
      if (entry.job === job && entry.state === 'failed') entry.state = 'decided';
  }

  /** The values of a document that may be stored. */
  possible(id: string): (Value | undefined)[] {
    const said = this.#entries.filter((entry) => entry.id === id && entry.state !== 'failed');
    const steps = [...said, ...this.#sweeps];
    // At the same position, a snapshot's documents come before its deletions.
    steps.sort((a, b) => a.place - b.place);
    let values: (Value | undefined)[] = [undefined];
    for (const step of steps) {
      if ('holds' in step)
        values = values.map((value) => (value !== undefined && step.holds(value) ? undefined : value));
      else values = step.state === 'decided' ? [step.value] : [...values, step.value];
    }
    return values;
  }
}
