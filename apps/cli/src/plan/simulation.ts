/**
 * The dispatcher, the queue and its workers as a discrete-event simulation: what apps/api/src/dispatcher.ts,
 * libs/queue and BullMQ do with shards, without their documents. It answers what no test can: hundreds of workers, a
 * thousand million documents, failures for hours.
 *
 * Locks are renewed at every half of their time. Those of a worker that died, or stood still for too long, run out;
 * a check, at every half of that time as well, puts its shards first in line.
 *
 * Invariants: a shard counts once, by whoever holds its lock; every shard is settled or lost; a job has no more
 * shards outstanding than its bound. The same seed gives the same run.
 */
import { ADDED_AT_ONCE, ShardBound } from '@embedmill/queue';
import { seeded, type Random } from '../random.ts';
import { deviceSeconds, NO_FAULTS, type Cluster, type Faults, type Load, type Outcome } from './cluster.ts';
import { SimulatedClock } from './simulated-clock.ts';
import { SimulatedWorker } from './simulated-worker.ts';
import { WaitingLine } from './waiting-line.ts';

interface Job {
  readonly first: number;
  readonly shards: number;
  readonly submittedAt: number;
  cursor: number;
  outstanding: number;
  done: number;
  dispatcher: number;
  /** Looks that were planned before its dispatcher died are void. */
  life: number;
  finishedAt: number | undefined;
}

/** As apps/api's dispatcher has it. */
const SHORT_PAUSE = 0.01;
/** As libs/queue has them. */
const MAX_STALLED = 3;
const ATTEMPTS = 30;
const LONGEST_PAUSE = 60;

/** Errors: a RangeError where there is nothing to simulate. */
export function simulate(cluster: Cluster, load: Load, faults: Faults = NO_FAULTS, seed = 1): Outcome {
  return new Simulation(cluster, load, faults, seed).run();
}

class Simulation {
  readonly #cluster: Cluster;
  readonly #load: Load;
  readonly #faults: Faults;
  readonly #seed: number;
  readonly #random: Random;
  readonly #clock = new SimulatedClock();
  readonly #line = new WaitingLine();
  readonly #workers: SimulatedWorker[];
  /** Workers that have room, by number. */
  readonly #withRoom = new WaitingLine();
  readonly #isWithRoom: Uint8Array;
  readonly #jobs: Job[];
  readonly #queued: Job[] = [];
  /** Jobs that each dispatcher has in hand. */
  readonly #dispatching: number[];
  /** Of each dispatcher, as the real ones have it. */
  readonly #bounds: ShardBound[];
  readonly #jobOf: Uint16Array;
  readonly #isDone: Uint8Array;
  readonly #stalls: Uint8Array;
  readonly #returns: Uint8Array;
  #outstanding = 0;
  #lastClaim = { at: 0, busySeconds: 0 };
  readonly #counts = { settled: 0, lost: 0, repeated: 0, mostOutstanding: 0, mostOfOneJob: 0 };
  #fairness: number | undefined;
  #unfinished: number;

  constructor(cluster: Cluster, load: Load, faults: Faults, seed: number) {
    const total = load.jobs.reduce((sum, { shards }) => sum + shards, 0);
    const { workers, shardsInHand, dispatchers, jobsEach, outstandingShards } = cluster;
    if (Math.min(total, workers, shardsInHand, dispatchers, jobsEach, outstandingShards) < 1)
      throw new RangeError('a simulation needs shards, workers, and dispatchers that give them the shards');
    this.#cluster = cluster;
    this.#load = load;
    this.#faults = faults;
    this.#seed = seed;
    this.#random = seeded(seed);
    this.#unfinished = load.jobs.length;
    this.#jobOf = new Uint16Array(total);
    this.#isDone = new Uint8Array(total);
    this.#stalls = new Uint8Array(total);
    this.#returns = new Uint8Array(total);
    this.#isWithRoom = new Uint8Array(workers);
    this.#dispatching = Array.from({ length: dispatchers }, () => 0);
    this.#bounds = this.#dispatching.map(
      () => new ShardBound({ perJob: outstandingShards, most: cluster.mostShards }),
    );
    this.#jobs = this.#jobsOf(load.jobs);
    this.#workers = Array.from({ length: workers }, (_, n) => this.#worker(n));
  }

  run(): Outcome {
    for (const job of this.#jobs) {
      this.#clock.after(job.submittedAt, () => {
        this.#queued.push(job);
        this.#dispatchNext();
      });
    }
    this.#workers.forEach((worker, n) => {
      this.#offer(n);
      this.#planDeath(worker, n);
      this.#planFreeze(worker);
    });
    this.#dispatching.forEach((_, dispatcher) => this.#planDispatcherDeath(dispatcher));
    while (this.#unfinished > 0 && this.#clock.step());
    return this.#outcome();
  }

  // Jobs and their dispatchers.

  /** Jobs are taken in turn, by the dispatcher that has most room for them. */
  #dispatchNext(): void {
    for (;;) {
      const fewest = Math.min(...this.#dispatching);
      const job = fewest < this.#cluster.jobsEach ? this.#queued.shift() : undefined;
      if (job === undefined) return;
      job.dispatcher = this.#dispatching.indexOf(fewest);
      this.#dispatching[job.dispatcher] = fewest + 1;
      this.#look(job);
    }
  }

  /** One turn of the dispatcher's loop. */
  #look(job: Job): void {
    if (job.cursor === job.shards && job.outstanding === 0) return this.#finish(job);
    const { addSeconds, pollSeconds } = this.#cluster;
    const seen = { outstanding: job.outstanding, waiting: this.#line.length };
    const left = job.shards - job.cursor;
    const room = left === 0 ? 0 : (this.#bounds[job.dispatcher]?.room(seen) ?? 0);
    const added = Math.min(left, room);
    for (let n = 0; n < added; n += 1) this.#line.append(job.first + job.cursor + n);
    job.cursor += added;
    job.outstanding += added;
    this.#outstanding += added;
    this.#counts.mostOutstanding = Math.max(this.#counts.mostOutstanding, this.#outstanding);
    this.#counts.mostOfOneJob = Math.max(this.#counts.mostOfOneJob, job.outstanding);
    this.#serve();
    const pause = room === ADDED_AT_ONCE ? SHORT_PAUSE : pollSeconds * this.#between(0.75, 1.25);
    this.#lookAgain(job, added * addSeconds + pause);
  }

  #lookAgain(job: Job, seconds: number): void {
    job.life += 1;
    const { life } = job;
    this.#clock.after(seconds, () => {
      if (life === job.life) this.#look(job);
    });
  }

  #finish(job: Job): void {
    job.finishedAt = this.#clock.now;
    this.#unfinished -= 1;
    this.#fairness ??= this.#fairnessNow(job);
    this.#dispatching[job.dispatcher] = (this.#dispatching[job.dispatcher] ?? 1) - 1;
    this.#dispatchNext();
  }

  #planDispatcherDeath(dispatcher: number): void {
    this.#clock.after(this.#exponential(this.#faults.dispatcherMtbf), () => {
      for (const job of this.#jobs) {
        if (job.dispatcher === dispatcher && job.finishedAt === undefined)
          this.#lookAgain(job, this.#recoverySeconds());
      }
      this.#planDispatcherDeath(dispatcher);
    });
  }

  // Shards and their workers.

  /** Gives shards in line to workers with room, one each in turn. */
  #serve(): void {
    while (this.#line.length > 0) {
      const n = this.#withRoom.take();
      const worker = n === undefined ? undefined : this.#workers[n];
      if (n === undefined || worker === undefined) return;
      this.#isWithRoom[n] = 0;
      if (!worker.hasRoom) continue;
      const shard = this.#line.take() ?? 0;
      worker.claim(shard);
      this.#offer(n);
      if (this.#line.length === 0) this.#noteClaim();
    }
  }

  #offer(n: number): void {
    if (this.#isWithRoom[n] === 1 || this.#workers[n]?.hasRoom !== true) return;
    this.#isWithRoom[n] = 1;
    this.#withRoom.append(n);
  }

  /** The line is empty; where nothing comes any more, it was the last claim. */
  #noteClaim(): void {
    if (this.#jobs.some(({ cursor, shards }) => cursor < shards)) return;
    this.#lastClaim = { at: this.#clock.now, busySeconds: this.#busySeconds() };
  }

  #done(n: number, shard: number, isHeld: boolean): void {
    this.#offer(n);
    if (isHeld) {
      this.#settle(shard);
    } else {
      this.#counts.repeated += 1;
    }
    this.#serve();
  }

  #settle(shard: number): void {
    const returns = this.#returns[shard] ?? 0;
    if (returns + 1 < ATTEMPTS && this.#random() < this.#faults.returned) {
      this.#returns[shard] = returns + 1;
      const pause = Math.min(LONGEST_PAUSE, 2 ** returns) * this.#between(0.75, 1.25);
      this.#clock.after(pause, () => {
        this.#line.append(shard);
        this.#serve();
      });
      return;
    }
    this.#counts.settled += 1;
    this.#end(shard);
  }

  #end(shard: number): void {
    const job = this.#jobs[this.#jobOf[shard] ?? 0];
    if (job === undefined || this.#isDone[shard] === 1) throw new Error(`shard ${shard} was settled twice`);
    this.#isDone[shard] = 1;
    job.outstanding -= 1;
    job.done += 1;
    this.#outstanding -= 1;
  }

  /** Locks ran out. At the next check their shards are first in line, or lost when it was their last chance. */
  #recover(shards: readonly number[]): void {
    if (shards.length === 0) return;
    this.#clock.after(this.#recoverySeconds(), () => {
      for (const shard of shards) {
        const stalls = (this.#stalls[shard] ?? 0) + 1;
        this.#stalls[shard] = stalls;
        if (stalls <= MAX_STALLED) {
          this.#line.prepend(shard);
        } else {
          this.#counts.lost += 1;
          this.#end(shard);
        }
      }
      this.#serve();
    });
  }

  /** From a death to the check that sees it: a lock was renewed up to half its time ago, a check is as far away. */
  #recoverySeconds(): number {
    return this.#cluster.lockSeconds * (this.#between(0.5, 1) + this.#between(0, 0.5));
  }

  #planDeath(worker: SimulatedWorker, n: number): void {
    this.#clock.after(this.#exponential(this.#faults.workerMtbf), () => {
      const held = worker.die();
      this.#counts.repeated += held.length;
      this.#recover(held);
      this.#clock.after(this.#faults.workerRestart, () => {
        worker.revive();
        this.#offer(n);
        this.#serve();
        this.#planDeath(worker, n);
      });
    });
  }

  #planFreeze(worker: SimulatedWorker): void {
    const { freezeMtbf, freezeSeconds } = this.#faults;
    this.#clock.after(this.#exponential(freezeMtbf), () => {
      const losesLocks = freezeSeconds > this.#cluster.lockSeconds * this.#between(0.5, 1);
      this.#recover(worker.freeze(freezeSeconds, losesLocks));
      this.#planFreeze(worker);
    });
  }

  // What is drawn and what is measured.

  #worker(n: number): SimulatedWorker {
    const { besideSeconds } = this.#load;
    return new SimulatedWorker(this.#clock, {
      shardsInHand: this.#cluster.shardsInHand,
      besideSeconds,
      deviceSeconds: (shard) => deviceSeconds(this.#load, shard, this.#seed),
      onDone: (shard, isHeld) => this.#done(n, shard, isHeld),
    });
  }

  #jobsOf(given: Load['jobs']): Job[] {
    let first = 0;
    return given.map(({ shards, submittedAt }, n) => {
      this.#jobOf.fill(n, first, first + shards);
      const job: Job = {
        ...{ first, shards, submittedAt, cursor: 0, outstanding: 0, done: 0 },
        ...{ dispatcher: -1, life: 0, finishedAt: undefined },
      };
      first += shards;
      return job;
    });
  }

  #busySeconds(): number {
    return this.#workers.reduce((sum, { busySeconds }) => sum + busySeconds, 0);
  }

  /** (Σx)² / (n · Σx²), of Jain, Chiu and Hawe, DEC Research Report TR-301 (1984). */
  #fairnessNow(ended: Job): number | undefined {
    const largest = Math.max(...this.#jobs.map(({ shards }) => shards));
    if (ended.shards < largest) return undefined;
    const done = this.#jobs.filter(({ shards }) => shards === largest).map((job) => job.done);
    const sum = done.reduce((total, one) => total + one, 0);
    return sum ** 2 / (done.length * done.reduce((total, one) => total + one * one, 0));
  }

  #outcome(): Outcome {
    const { at, busySeconds } = this.#lastClaim;
    const seconds = Math.max(...this.#jobs.map(({ finishedAt }) => finishedAt ?? Infinity));
    return {
      ...this.#counts,
      seconds,
      utilisation: at === 0 ? 0 : busySeconds / (at * this.#workers.length),
      tailSeconds: seconds - at,
      fairness: this.#fairness ?? 1,
      jobs: this.#jobs.map(({ shards, submittedAt, finishedAt = Infinity }) => ({
        shards,
        seconds: finishedAt - submittedAt,
      })),
    };
  }

  #exponential(mean: number): number {
    return mean === Infinity ? Infinity : -mean * Math.log(1 - this.#random());
  }

  #between(least: number, most: number): number {
    return least + (most - least) * this.#random();
  }
}
