/**
 * A discrete-event simulation of the dispatcher, the queue and its workers: what apps/api/src/dispatch/dispatcher.ts,
 * libs/queue and BullMQ do with shards, without the documents. It covers what tests cannot: hundreds of workers, a
 * thousand million documents, hours of failures.
 *
 * Locks are renewed after half their time. The locks of a worker that died, or stood still for too long, expire; a
 * check, also at every half of the lock time, puts its shards first in line.
 *
 * Invariants: a shard counts once, for the holder of its lock; every shard is settled or lost; a job never has more
 * shards outstanding than its bound. The same seed gives the same run.
 */
import { NO_LEDGER, Room, type RoomLedger } from '@embedmill/queue';
import { seeded, type Random } from '../random.ts';
import { deviceSeconds, NO_FAULTS, type Cluster, type Faults, type Load, type Outcome } from './cluster.ts';
import { Measures } from './measures.ts';
import { SimulatedClock } from './simulated-clock.ts';
import { SimulatedJob } from './simulated-job.ts';
import { SimulatedWorker } from './simulated-worker.ts';
import { WaitingLine } from './waiting-line.ts';

interface Dispatcher {
  readonly room: Room<SimulatedJob>;
  readonly jobs: Set<SimulatedJob>;
  /** Turns that were planned before the latest one are void. */
  turns: number;
  pause: number;
}

/** The same values as in apps/api's dispatcher. */
const SHORT_PAUSE = 0.01;
const LEAST_PAUSE = 0.003;
/** The same values as in libs/queue. */
const MAX_STALLED = 3;
const ATTEMPTS = 30;
const LONGEST_PAUSE = 60;

/** Errors: a RangeError if there are no shards, workers or dispatchers. */
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
  readonly #jobs: SimulatedJob[];
  readonly #dispatchers: Dispatcher[];
  /** What the dispatchers share through the broker. */
  #ledger: RoomLedger = NO_LEDGER;
  readonly #jobOf: Uint32Array;
  readonly #isDone: Uint8Array;
  readonly #stalls: Uint8Array;
  readonly #returns: Uint8Array;
  #outstanding = 0;
  readonly #measures: Measures;
  #unfinished: number;
  #names = 0;

  constructor(cluster: Cluster, load: Load, faults: Faults, seed: number) {
    const total = load.jobs.reduce((sum, { shards }) => sum + shards, 0);
    const { workers, shardsInHand, dispatchers, mostShards } = cluster;
    if (Math.min(total, workers, shardsInHand, dispatchers, mostShards) < 1)
      throw new RangeError('a simulation needs shards, workers, and dispatchers that give them the shards');
    this.#cluster = cluster;
    this.#load = load;
    this.#faults = faults;
    this.#seed = seed;
    this.#random = seeded(seed);
    this.#unfinished = load.jobs.length;
    this.#jobOf = new Uint32Array(total);
    this.#isDone = new Uint8Array(total);
    this.#stalls = new Uint8Array(total);
    this.#returns = new Uint8Array(total);
    this.#isWithRoom = new Uint8Array(workers);
    this.#dispatchers = Array.from({ length: dispatchers }, () => this.#newDispatcher());
    this.#jobs = this.#jobsOf(load.jobs);
    this.#measures = new Measures(this.#jobs);
    this.#workers = Array.from({ length: workers }, (_, n) => this.#worker(n));
  }

  run(): Outcome {
    for (const job of this.#jobs) {
      this.#clock.after(job.submittedAt, () => {
        this.#takeInHand(job);
      });
    }
    this.#workers.forEach((worker, n) => {
      this.#offer(n);
      this.#planDeath(worker, n);
      this.#planFreeze(worker);
    });
    this.#dispatchers.forEach((_, n) => this.#planDispatcherDeath(n));
    while (this.#unfinished > 0 && this.#clock.step());
    return this.#measures.outcome(this.#workers.length);
  }

  // Jobs and their dispatchers.

  #newDispatcher(): Dispatcher {
    this.#names += 1;
    const room = new Room<SimulatedJob>({
      dispatcher: `dispatcher-${this.#names}`,
      weightOf: () => 1,
      mostShards: this.#cluster.mostShards,
    });
    return { room, jobs: new Set(), turns: 0, pause: 0 };
  }

  /** The dispatcher with the fewest jobs takes it. */
  #takeInHand(job: SimulatedJob): void {
    const [first] = this.#dispatchers.toSorted((a, b) => a.jobs.size - b.jobs.size);
    if (first === undefined) throw new Error('there is no dispatcher');
    first.jobs.add(job);
    if (!job.isAllAdded) first.room.join(job);
    this.#turnAfter(first, LEAST_PAUSE);
  }

  #turnAfter(dispatcher: Dispatcher, seconds: number): void {
    dispatcher.turns += 1;
    const { turns } = dispatcher;
    this.#clock.after(seconds, () => {
      if (turns === dispatcher.turns) this.#turn(dispatcher);
    });
  }

  /** One turn of a dispatcher's loop. */
  #turn(dispatcher: Dispatcher): void {
    const { pollSeconds } = this.#cluster;
    const ending: SimulatedJob[] = [];
    for (const job of dispatcher.jobs) if (job.isAllAdded) ending.push(job);
    for (const job of ending) if (job.outstanding === 0) this.#finish(job, dispatcher);
    const pause = Math.min(pollSeconds * this.#between(0.75, 1.25), this.#give(dispatcher));
    if (dispatcher.jobs.size === 0) return;
    const isEnding = ending.some((job) => job.outstanding < Math.min(8, job.shards));
    dispatcher.pause = isEnding ? Math.min(pause, 2 * Math.max(SHORT_PAUSE, dispatcher.pause)) : pause;
    this.#turnAfter(dispatcher, dispatcher.pause);
  }

  /** Puts as many shards on the queue as there is room for. Returns the seconds until it should do so again. */
  #give({ room }: Dispatcher): number {
    if (room.jobs === 0) {
      this.#ledger = room.end(this.#ledger);
      return Infinity;
    }
    const waiting = this.#line.length;
    const plan = room.plan(this.#ledger, { waiting, now: this.#clock.now });
    if (plan.isToBeKept) this.#ledger = plan.ledger;
    const taken = room.take(plan);
    for (const job of taken) this.#add(job, room);
    this.#serve();
    return Math.max(SHORT_PAUSE, room.nextTurn(taken, waiting, plan.isCut));
  }

  #add(job: SimulatedJob, room: Room<SimulatedJob>): void {
    const { added: from } = job;
    for (; job.added < job.cursor; job.added += 1) this.#line.append(job.first + job.added);
    this.#outstanding += job.cursor - from;
    this.#measures.noteAdded(job, this.#outstanding);
    if (job.isAllAdded) return room.leave(job);
    job.isBusy = true;
    this.#clock.after((job.cursor - from) * this.#cluster.addSeconds, () => (job.isBusy = false));
  }

  #finish(job: SimulatedJob, dispatcher: Dispatcher): void {
    dispatcher.jobs.delete(job);
    job.finishedAt = this.#clock.now;
    this.#unfinished -= 1;
    this.#measures.noteFinished(job);
  }

  /**
   * A dispatcher that dies is replaced at once, with no jobs; its jobs are taken again when their locks have expired.
   */
  #planDispatcherDeath(n: number): void {
    this.#clock.after(this.#exponential(this.#faults.dispatcherMtbf), () => {
      const dead = this.#dispatchers[n];
      this.#dispatchers[n] = this.#newDispatcher();
      const left = dead === undefined ? [] : [...dead.jobs];
      if (dead !== undefined) dead.turns += 1;
      this.#clock.after(this.#recoverySeconds(), () => {
        for (const job of left) {
          job.isBusy = false;
          this.#takeInHand(job);
        }
      });
      this.#planDispatcherDeath(n);
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

  /** The line is empty; if no more shards will come, this was the last claim. */
  #noteClaim(): void {
    if (this.#jobs.some((job) => !job.isAllAdded)) return;
    const busySeconds = this.#workers.reduce((sum, worker) => sum + worker.busySeconds, 0);
    this.#measures.noteLastClaim(this.#clock.now, busySeconds);
  }

  #done(n: number, shard: number, isHeld: boolean): void {
    this.#offer(n);
    if (isHeld) {
      this.#settle(shard);
    } else {
      this.#measures.counts.repeated += 1;
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
    this.#measures.counts.settled += 1;
    this.#end(shard);
  }

  #end(shard: number): void {
    const job = this.#jobs[this.#jobOf[shard] ?? 0];
    if (job === undefined || this.#isDone[shard] === 1) throw new Error(`shard ${shard} was settled twice`);
    this.#isDone[shard] = 1;
    job.outstanding -= 1;
    job.done += 1;
    this.#outstanding -= 1;
    this.#measures.noteDone(job);
  }

  /**
   * For shards whose locks expired: the next check puts them first in line, or they are lost if this was their last
   * chance.
   */
  #recover(shards: readonly number[]): void {
    if (shards.length === 0) return;
    this.#clock.after(this.#recoverySeconds(), () => {
      for (const shard of shards) {
        const stalls = (this.#stalls[shard] ?? 0) + 1;
        this.#stalls[shard] = stalls;
        if (stalls <= MAX_STALLED) {
          this.#line.prepend(shard);
        } else {
          this.#measures.counts.lost += 1;
          this.#end(shard);
        }
      }
      this.#serve();
    });
  }

  /**
   * The time from a death to the check that sees it: a lock was renewed up to half its time ago, and the check comes
   * within half of that time.
   */
  #recoverySeconds(): number {
    return this.#cluster.lockSeconds * (this.#between(0.5, 1) + this.#between(0, 0.5));
  }

  #planDeath(worker: SimulatedWorker, n: number): void {
    this.#clock.after(this.#exponential(this.#faults.workerMtbf), () => {
      const held = worker.die();
      this.#measures.counts.repeated += held.length;
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

  // The simulated parts, and random draws.

  #worker(n: number): SimulatedWorker {
    const { besideSeconds } = this.#load;
    return new SimulatedWorker(this.#clock, {
      shardsInHand: this.#cluster.shardsInHand,
      besideSeconds,
      deviceSeconds: (shard) => deviceSeconds(this.#load, shard, this.#seed) * this.#sizeOf(shard),
      onDone: (shard, isHeld) => this.#done(n, shard, isHeld),
    });
  }

  #jobsOf(given: Load['jobs']): SimulatedJob[] {
    let first = 0;
    return given.map((loaded, n) => {
      const { shards } = loaded;
      this.#jobOf.fill(n, first, first + shards);
      const job = new SimulatedJob(String(n), first, loaded, this.#cluster.mostShards);
      first += shards;
      return job;
    });
  }

  #sizeOf(shard: number): number {
    return this.#load.jobs[this.#jobOf[shard] ?? 0]?.size ?? 1;
  }

  #exponential(mean: number): number {
    return mean === Infinity ? Infinity : -mean * Math.log(1 - this.#random());
  }

  #between(least: number, most: number): number {
    return least + (most - least) * this.#random();
  }
}
