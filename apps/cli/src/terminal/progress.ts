import type { Job } from '@embedmill/jobs';
import type { Terminal } from './terminal.ts';
import { clock, columnsOf, compact, cut, grouped } from './text.ts';

/** Over how much of the latest past a rate is taken. */
const WINDOW_MS = 10_000;

/** Documents and tokens per second over the last ten seconds. The clock is passed in, in milliseconds. */
export class Rates {
  #samples: { at: number; done: number; tokens: number }[] = [];

  add(job: Pick<Job, 'done' | 'tokens'>, at: number): void {
    const last = this.#samples.at(-1);
    if (last === undefined || last.done !== job.done || last.tokens !== job.tokens) {
      this.#samples.push({ at, done: job.done, tokens: job.tokens });
    }
    // One sample from before the window stays, so that there is always something to compare with.
    while (this.#samples.length > 2 && (this.#samples[1]?.at ?? at) < at - WINDOW_MS) this.#samples.shift();
  }

  /** Per second; undefined until there is a difference to see. */
  at(now: number): { documents: number; tokens: number } | undefined {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || first === last) return undefined;
    const seconds = Math.max(now - first.at, 1) / 1000;
    return { documents: (last.done - first.done) / seconds, tokens: (last.tokens - first.tokens) / seconds };
  }
}

/** Whether the job has more documents than it says. */
function isCounting({ state, scanned }: Job): boolean {
  return state === 'running' && !scanned;
}

/** The job's documents, as a number to read: "≥" while its source is being scanned. */
export function documentCount(job: Job): string {
  return isCounting(job) ? `≥${grouped(job.documents)}` : grouped(job.documents);
}

/** One line that says how far the job is, no wider than `width` columns. */
export function progressLine(
  job: Job,
  rates: { documents: number; tokens: number } | undefined,
  width: number,
): { bar: string; rest: string } {
  const share = job.documents === 0 ? 0 : job.done / job.documents;
  const isKnown = rates !== undefined && rates.documents > 0 && !isCounting(job);
  const left = isKnown ? (job.documents - job.done) / rates.documents : undefined;
  const total = documentCount(job);
  const rate = (value: number | undefined): string =>
    (value === undefined ? '–' : compact(value)).padStart(5);
  const rest = cut(
    job.documents === 0
      ? job.state === 'queued'
        ? 'waiting for its turn'
        : 'counting documents'
      : [
          `${grouped(job.done).padStart(total.length)}/${total}`,
          (isCounting(job) ? '–' : `${Math.floor(share * 100)}%`).padStart(4),
          `${rate(rates?.documents)} docs/s`,
          `${rate(rates?.tokens)} tokens/s`,
          `ETA ${(left === undefined ? '–' : clock(left)).padStart(5)}`,
          `${grouped(job.failed)} failed`,
        ].join('  '),
    width,
  );
  const cells = Math.min(MOST_CELLS, width - columnsOf(rest) - 2);
  if (cells < LEAST_CELLS || job.documents === 0 || isCounting(job)) return { bar: '', rest };
  const full = Math.round(share * cells);
  return { bar: '█'.repeat(full) + '░'.repeat(cells - full), rest };
}

/** How long the bar is, where there is room for one. */
const MOST_CELLS = 30;
const LEAST_CELLS = 5;

/** How often the bar is drawn, and how often a line is printed where there is no terminal. */
const DRAW_MS = 100;
const TICK_MS = 500;
const LINE_MS = 5000;

/**
 * Shows a job's progress: a bar that is drawn over itself on a terminal, a line now and then elsewhere, nothing
 * with --json.
 */
export class ProgressDisplay {
  readonly #terminal: Terminal;
  readonly #rates = new Rates();
  #job: Job | undefined;
  #shownAt = -Infinity;
  #lineOpen = false;
  #shown = '';
  #ticks: NodeJS.Timeout | undefined;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  update(job: Job, now = performance.now()): void {
    this.#job = job;
    this.#rates.add(job, now);
    this.#show(now);
    // Shards settle some hundred documents at a time; in between, the rates still change.
    if (this.#terminal.isLive)
      this.#ticks ??= setInterval(() => this.#show(performance.now()), TICK_MS).unref();
  }

  /** Bytes sent, before there is a job. */
  uploading(line: string, now = performance.now()): void {
    if (!this.#terminal.isLive || now - this.#shownAt < DRAW_MS) return;
    this.#shownAt = now;
    this.#draw(cut(line, this.#terminal.progressWidth - 1));
  }

  /** Leaves the line free for what comes next. */
  close(): void {
    clearInterval(this.#ticks);
    this.#ticks = undefined;
    this.#job = undefined;
    if (this.#lineOpen) this.#terminal.redraw('');
    this.#lineOpen = false;
    this.#shownAt = -Infinity;
  }

  #show(now: number): void {
    const live = this.#terminal.isLive;
    if (this.#job === undefined || this.#terminal.json) return;
    if (now - this.#shownAt < (live ? DRAW_MS : LINE_MS)) return;
    this.#shownAt = now;
    const rates = this.#rates.at(now);
    if (live) {
      const { bar, rest } = progressLine(this.#job, rates, this.#terminal.progressWidth - 1);
      this.#draw(bar === '' ? rest : `${this.#terminal.styleProgress('cyan', bar)}  ${rest}`);
    } else {
      const { rest } = progressLine(this.#job, rates, Infinity);
      if (rest !== this.#shown) this.#terminal.note(rest.trimStart());
      this.#shown = rest;
    }
  }

  #draw(line: string): void {
    this.#terminal.redraw(line);
    this.#lineOpen = true;
  }
}

/** What a finished job came to, for people. */
export function summaryOf(job: Job): string {
  const seconds = Math.max(job.seconds, 0.001);
  const counts = [
    `${grouped(job.stored)} stored`,
    job.skipped > 0 ? `${grouped(job.skipped)} unchanged` : '',
    job.deleted > 0 ? `${grouped(job.deleted)} deleted` : '',
    job.duplicates > 0 ? `${grouped(job.duplicates)} replaced by a later one` : '',
    job.reused > 0 ? `${grouped(job.reused)} chunks unchanged` : '',
    job.superseded > 0 ? `${grouped(job.superseded)} superseded by a later submission` : '',
    job.gone > 0 ? `${grouped(job.gone)} gone from the source and deleted` : '',
    `${grouped(job.failed)} failed`,
  ].filter((part) => part !== '');
  return (
    `${grouped(job.done)} of ${grouped(job.documents)} documents: ${counts.join(', ')}; ` +
    `${grouped(job.chunks)} chunks, ${grouped(job.tokens)} tokens in ${job.seconds.toFixed(1)} s ` +
    `(${compact(job.done / seconds)} docs/s, ${compact(job.tokens / seconds)} tokens/s)`
  );
}
