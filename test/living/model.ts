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

/** What a collection is to hold, by all that was accepted for it: the later of two decides. */
export class CollectionModel {
  readonly #entries: Entry[] = [];
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

  /** What the submission does not have, and is stored by then, is deleted. */
  synced(job: Pick<Job, 'id'>, versions: readonly Version[]): void {
    const had = new Set(versions.map(({ id }) => id));
    this.submitted(job, versions);
    this.#deleteStored(({ id }) => !had.has(id));
  }

  deleted(id: string): void {
    this.#place += 1;
    this.#entries.push({ id, value: undefined, job: undefined, place: this.#place, state: 'decided' });
  }

  /** What is stored of these by then is deleted; it is not known of what may be stored. */
  deletedWhere(holds: (value: Value) => boolean): void {
    this.#place += 1;
    this.#deleteStored(holds);
  }

  #deleteStored(holds: (value: Value) => boolean): void {
    for (const id of this.ids) {
      const held = this.possible(id).filter((value) => value !== undefined && holds(value)).length;
      if (held === 0) continue;
      const state = held === this.possible(id).length ? 'decided' : 'uncertain';
      this.#entries.push({ id, value: undefined, job: undefined, place: this.#place, state });
    }
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
    said.sort((a, b) => b.place - a.place);
    const last = said.findIndex(({ state }) => state === 'decided');
    const open = last === -1 ? said : said.slice(0, last + 1);
    const values = open.map(({ value }) => value);
    return last === -1 ? [...values, undefined] : values;
  }
}
