import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LEAST_WAITING, leadAfter, type ClaimRate, type Lead } from './lead.ts';

const MOST = 10_000;
const TOKENS = 65_536;

/** A queue kept at its lead, and workers that claim up to this many shards per second. */
function keptAtLead() {
  let rate: ClaimRate | undefined;
  let lead: Lead = { shards: 0, tokens: 0 };
  const added = { shards: 0, tokens: 0 };
  let waiting = { shards: 0, tokens: 0 };
  let now = 0;
  const look = (claimsPerSecond: number, tokens = TOKENS, seconds = 0.1): Lead & { lead: number } => {
    const claimed = Math.min(waiting.shards, Math.round(claimsPerSecond * seconds));
    const share = waiting.shards === 0 ? 0 : claimed / waiting.shards;
    waiting = { shards: waiting.shards - claimed, tokens: waiting.tokens * (1 - share) };
    now += seconds;
    ({ lead, after: rate } = leadAfter(rate, { now, added: { ...added }, waiting: { ...waiting } }, MOST));
    while (waiting.shards < LEAST_WAITING || (waiting.shards < lead.shards && waiting.tokens < lead.tokens)) {
      for (const sum of [added, waiting]) {
        sum.shards += 1;
        sum.tokens += tokens;
      }
    }
    return { ...waiting, lead: lead.shards };
  };
  return look;
}

test.each([
  { workers: 'one', claims: 10, most: 8 },
  { workers: 'thirty', claims: 200, most: 100 },
  { workers: 'a thousand', claims: 5000, most: 2500 },
])('the lead comes to a few looks of what $workers claim, and stays there', ({ claims, most }) => {
  const look = keptAtLead();
  for (let n = 0; n < 30; n += 1) look(claims);
  for (let n = 0; n < 50; n += 1) {
    const { shards } = look(claims);
    // No worker finds it empty before the next check, and a shard added then hardly waits.
    expect(shards).toBeGreaterThanOrEqual(claims * 0.1);
    expect(shards).toBeLessThanOrEqual(most);
  }
});

test('a queue that is found empty is filled twice as far the next time', () => {
  const look = keptAtLead();
  const filled = Array.from({ length: 10 }, () => look(Infinity).shards);
  for (const [n, shards] of filled.slice(1).entries()) {
    expect(shards).toBeGreaterThanOrEqual(2 * (filled[n] ?? 0) - 1);
  }
});

test('it decays within two seconds when workers claim no more', () => {
  const look = keptAtLead();
  for (let n = 0; n < 40; n += 1) look(2000);
  expect(look(2000).lead).toBeGreaterThan(400);
  for (let n = 0; n < 20; n += 1) look(5);
  expect(look(5).lead).toBeLessThan(20);
});

test('many small shards that are claimed at once do not make room for as many large ones', () => {
  const look = keptAtLead();
  for (let n = 0; n < 20; n += 1) look(1000, 20);
  const before = look(1000, 20);
  expect(before.shards).toBeGreaterThan(100);
  let large: Lead = { shards: 0, tokens: 0 };
  for (let n = 0; n < 20; n += 1) large = look(20, TOKENS);
  expect(large.tokens).toBeLessThan(12 * TOKENS);
});

test('whatever was observed, the lead is finite and within its bounds', () => {
  const counts = fc.record({ shards: fc.nat(100_000), tokens: fc.nat(1_000_000_000) });
  const seen = fc.record({
    now: fc.double({ min: 0, max: 1e6, noNaN: true }),
    added: counts,
    waiting: counts,
  });
  fc.assert(
    fc.property(fc.array(seen, { maxLength: 30 }), fc.integer({ min: 1, max: 5000 }), (looks, most) => {
      let rate: ClaimRate | undefined;
      for (const look of looks) {
        const { lead, after } = leadAfter(rate, look, most);
        rate = after;
        expect(lead.shards).toBeGreaterThanOrEqual(LEAST_WAITING);
        expect(lead.shards).toBeLessThanOrEqual(Math.max(LEAST_WAITING, most));
        expect(Number.isFinite(lead.tokens) && lead.tokens >= 1).toBe(true);
      }
    }),
  );
});
