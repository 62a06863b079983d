import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Priority } from '@embedmill/jobs';
import { parseLedger, type RoomLedger } from './room-ledger.ts';
import { Room, type WaitingJob } from './room.ts';

const SHARD = 65_536;
/** The fairness index of Jain, Chiu and Hawe, DEC Research Report TR-301 (1984). */
const jain = (values: number[]): number => {
  const sum = values.reduce((total, one) => total + one, 0);
  return sum ** 2 / (values.length * values.reduce((total, one) => total + one * one, 0));
};

class Job implements WaitingJob {
  readonly id: string;
  readonly share: string;
  priority: Priority;
  readonly size: number;
  left: number;
  taken = 0;

  constructor(id: string, share: string, options: { shards: number; size?: number; priority?: Priority }) {
    this.id = id;
    this.share = share;
    this.left = options.shards;
    this.size = options.size ?? SHARD;
    this.priority = options.priority ?? 'normal';
  }

  get ready(): number {
    return Math.min(16, this.left);
  }

  take(): void {
    if (this.left === 0) throw new Error('there was none to take');
    this.left -= 1;
    this.taken += 1;
  }

  get tokens(): number {
    return this.taken * this.size;
  }
}

/** Dispatchers that take turns on one ledger, which they exchange as text, and workers that claim shards in between. */
function cluster(jobs: Job[], { dispatchers = 1, weights = {} as Record<string, number>, claims = 2 } = {}) {
  const rooms = Array.from(
    { length: dispatchers },
    (_, n) =>
      new Room<Job>({ dispatcher: `d${n}`, weightOf: (share) => weights[share] ?? 1, mostShards: 10_000 }),
  );
  jobs.forEach((job, n) => rooms[n % dispatchers]?.join(job));
  let text: string | null = null;
  let turns = 0;
  let claimed = 0;
  let most = 0;
  const put = () => jobs.reduce((sum, job) => sum + job.taken, 0);
  return {
    rooms,
    get ledger(): RoomLedger {
      return parseLedger(text);
    },
    get most() {
      return most;
    },
    waiting: () => put() - claimed,
    turn(only?: number) {
      const n = only ?? turns % dispatchers;
      turns += 1;
      claimed = Math.min(put(), claimed + claims);
      const room = rooms[n];
      const plan = room?.plan(parseLedger(text), {
        waiting: put() - claimed,
        now: turns * (0.1 / dispatchers),
      });
      if (room === undefined || plan === undefined) return;
      if (plan.isToBeKept) text = JSON.stringify(plan.ledger);
      for (const job of room.take(plan)) if (job.left === 0) room.leave(job);
      most = Math.max(most, put() - claimed);
    },
  };
}

const ofShare = (jobs: Job[]): number[] => {
  const by = new Map<string, number>();
  for (const { share, tokens } of jobs) by.set(share, (by.get(share) ?? 0) + tokens);
  return [...by.values()];
};

/** Shares with equally many documents, in jobs of 1 to 100,000 documents. */
const unlike = (): Job[] =>
  [1, 10, 100, 1000, 10_000, 100_000].flatMap((documents) => {
    const [shards, size] =
      documents < 256 ? [1, (SHARD * documents) / 256] : [Math.round(documents / 256), SHARD];
    return Array.from(
      { length: Math.ceil(5000 / documents) },
      (_, n) => new Job(`${documents}-${n}`, `of ${documents}`, { shards, size }),
    );
  });

test.each([1, 3])(
  'shares whose jobs have 1 to 100,000 documents get the same room in tokens, by %i dispatchers: Jain’s index 0.99',
  (dispatchers) => {
    const jobs = unlike();
    const { turn } = cluster(jobs, { dispatchers });
    // Until half of the small jobs were started.
    const small = jobs.filter(({ share }) => share === 'of 1');
    while (small.filter(({ left }) => left > 0).length > small.length / 2) turn();
    expect(jain(ofShare(jobs))).toBeGreaterThan(0.99);
  },
);

test('a job of one small shard is put on the queue at its first turn, though there is no room for large ones', () => {
  const large = new Job('large', '', { shards: 1000 });
  const { rooms, turn, waiting } = cluster([large], { claims: 0 });
  for (let n = 0; n < 5; n += 1) turn();
  const before = large.taken;
  expect(waiting()).toBe(before);
  const small = Array.from({ length: 40 }, (_, n) => new Job(`small-${n}`, '', { shards: 1, size: 20 }));
  for (const one of small) rooms[0]?.join(one);
  turn();
  // As many as may wait beyond the lead; the large job gets no further shards.
  expect(small.filter(({ taken }) => taken === 1).length).toBe(4);
  expect(large.taken).toBe(before);
});

test('a share is so far ahead of its turn by small shards, and no further', () => {
  const large = new Job('large', 'a', { shards: 1000 });
  const { rooms, turn } = cluster([large], { claims: 0 });
  for (let n = 0; n < 5; n += 1) turn();
  const small = Array.from({ length: 12 }, (_, n) => new Job(`s${n}`, 'b', { shards: 1, size: 500 }));
  for (const one of small) rooms[0]?.join(one);
  for (let n = 0; n < 5; n += 1) turn();
  expect(small.filter(({ taken }) => taken === 1).length).toBe(2);
});

test('a share of twice the weight gets twice the room', () => {
  const jobs = [new Job('a', 'a', { shards: 1e6 }), new Job('b', 'b', { shards: 1e6 })];
  const { turn } = cluster(jobs, { weights: { a: 2 } });
  for (let n = 0; n < 300; n += 1) turn();
  expect((jobs[0]?.taken ?? 0) / (jobs[1]?.taken ?? 1)).toBeCloseTo(2, 1);
});

test.each([1, 2])('jobs of a share get the same, on whichever of %i dispatchers they are', (dispatchers) => {
  const jobs = Array.from({ length: 5 }, (_, n) => new Job(`j${n}`, 'a', { shards: 1e6 }));
  const { turn } = cluster(jobs, { dispatchers });
  for (let n = 0; n < 500; n += 1) turn();
  expect(jain(jobs.map(({ tokens }) => tokens))).toBeGreaterThan(0.99);
});

test('urgent jobs come first in their share, background jobs last but never not at all, and others lose nothing by it', () => {
  const jobs = (['urgent', 'normal', 'background'] as const).map(
    (priority) => new Job(priority, 'a', { shards: 1e6, priority }),
  );
  const other = new Job('other', 'b', { shards: 1e6, priority: 'background' });
  const { turn } = cluster([...jobs, other], { claims: 20 });
  for (let n = 0; n < 500; n += 1) turn();
  const [urgent = 0, normal = 0, background = 0] = jobs.map(({ taken }) => taken);
  expect(urgent / normal).toBeGreaterThan(5);
  expect(normal / background).toBeGreaterThan(5);
  expect(background).toBeGreaterThan(0);
  expect(other.taken / (urgent + normal + background)).toBeCloseTo(1, 1);
});

test('a job whose priority is changed is in its new place from the next turn on', () => {
  const [first, second] = [new Job('first', 'a', { shards: 1e6 }), new Job('second', 'a', { shards: 1e6 })];
  const { turn } = cluster([first, second], { claims: 10 });
  for (let n = 0; n < 50; n += 1) turn();
  second.priority = 'urgent';
  const before = [first.taken, second.taken];
  for (let n = 0; n < 50; n += 1) turn();
  expect(second.taken - (before[1] ?? 0)).toBeGreaterThan(5 * (first.taken - (before[0] ?? 0)));
});

test('room that was given to a dispatcher that died is given again, and its name is forgotten', () => {
  const jobs = [new Job('a', 'a', { shards: 1e6 }), new Job('b', 'b', { shards: 1e6 })];
  const all = cluster(jobs, { dispatchers: 2 });
  for (let n = 0; n < 20; n += 1) all.turn();
  const b = jobs[1]?.taken;
  for (let n = 0; n < 200; n += 1) all.turn(0);
  expect(jobs[1]?.taken).toBe(b);
  expect(Object.keys(all.ledger.dispatchers)).toEqual(['d0']);
  expect(all.waiting()).toBeLessThan(20);
  const before = jobs[0]?.taken ?? 0;
  for (let n = 0; n < 20; n += 1) all.turn(0);
  expect((jobs[0]?.taken ?? 0) - before).toBeGreaterThanOrEqual(30);
});

const job = fc.record({
  share: fc.constantFrom('a', 'b', 'c'),
  shards: fc.integer({ min: 1, max: 40 }),
  size: fc.constantFrom(1, 300, SHARD, 2_000_000),
  priority: fc.constantFrom<Priority>('urgent', 'normal', 'background'),
});

test('whatever the jobs, all shards are taken once, none before there is room, and the ledger stays small', () => {
  fc.assert(
    fc.property(
      fc.array(job, { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 30 }),
      (given, dispatchers, claims) => {
        const jobs = given.map((one, n) => new Job(String(n), one.share, one));
        const all = cluster(jobs, { dispatchers, claims });
        for (let n = 0; jobs.some(({ left }) => left > 0); n += 1) {
          if (n > 20_000) throw new Error('the jobs do not get on');
          all.turn();
        }
        for (const [n, { taken }] of jobs.entries()) expect(taken).toBe(given[n]?.shards);
        expect(all.ledger.recent.length).toBeLessThanOrEqual(64);
        // What is claimed between two checks, doubled, plus what each dispatcher was granted meanwhile. Beyond it, some
        // small shards.
        expect(all.most).toBeLessThanOrEqual(16 * claims + 8 * dispatchers + 4);
      },
    ),
    { numRuns: 60 },
  );
});

test('a room tells when what waits will have been claimed, so that the next turn comes before', () => {
  const room = new Room<Job>({ dispatcher: 'd', weightOf: () => 1, mostShards: 10_000 });
  const job = new Job('job', 'share', { shards: 40 });
  room.join(job);
  let ledger: RoomLedger = parseLedger(null);
  const turn = (now: number, waiting: number) => {
    const plan = room.plan(ledger, { waiting, now });
    if (plan.isToBeKept) ({ ledger } = plan);
    room.take(plan);
  };
  turn(0, 0);
  expect(room.lasts).toBe(Infinity);
  const given = job.taken;
  // Everything was claimed within ten milliseconds, and what is granted now will be claimed as fast.
  turn(0.01, 0);
  expect(room.lasts).toBeCloseTo((0.01 * (job.taken - given)) / given, 6);
  // Nothing was claimed since, so the room lasts.
  turn(0.02, job.taken - given);
  expect(room.lasts).toBe(Infinity);
  // There is nothing left to add.
  job.left = 0;
  turn(0.03, 0);
  expect(room.lasts).toBe(Infinity);
});
