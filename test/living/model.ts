import type { Job } from '@embedmill/jobs';

/** A document as someone submitted it. */
export interface Value {
  id: string;
  text: string;
  title?: string;
  metadata: { n: number; poison?: boolean };
}

/** What a submission says of a document; no value: it is deleted. */
export interface Version {
  id: string;
  value: Value | undefined;
}

interface Entry extends Version {
  /** The job that said so; none of a single deletion. */
  job: string | undefined;
  /** Its place in the order of acceptance: that of its submission, also where it was tried again. */
  place: number;
  /** `failed`: it had no say; `uncertain`: it may have had one. */
  state: 'decided' | 'failed' | 'uncertain';
}

/** A deletion of all documents of which something holds. */
interface Sweep {
  place: number;
  holds: (value: Value) => boolean;
}

/**
 * What a collection is to hold, by all that was accepted for it, as if it had run one after another in the order of
 * acceptance.
 */
export class CollectionModel {
  readonly #entries: Entry[] = [];
  readonly #sweeps: Sweep[] = [];
  #place = 0;

  get ids(): string[] {
    return [...new Set(this.#entries.map(({ id }) => id))];
  }

  /** Of a document that comes twice, the later line counts; one that bears a poison fails. */
  submitted({ id: job }: Pick<Job, 'id'>, versions: readonly Version[]): void {
    this.#place += 1;
    for (const version of new Map(versions.map((one) => [one.id, one])).values()) {
      const state = version.value?.metadata.poison === true ? 'failed' : 'decided';
      this.#entries.push({ ...version, job, place: this.#place, state });
    }
  }

  /** What the submission does not have is deleted. */
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

  /** What failed of the job was tried again, and nothing failed. */
  retried(job: string): void {
    for (const entry of this.#entries)
      if (entry.job === job && entry.state === 'failed') entry.state = 'decided';
  }

  /** What may be stored of a document. */
  possible(id: string): (Value | undefined)[] {
    const said = this.#entries.filter((entry) => entry.id === id && entry.state !== 'failed');
    const steps = [...said, ...this.#sweeps];
    // Of one place, a snapshot's documents are before what it deletes.
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
