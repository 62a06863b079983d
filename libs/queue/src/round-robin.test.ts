import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RoundRobin, type Flows } from './round-robin.ts';

const QUANTUM = 100;

/** Endless pieces with repeating sizes. */
const flow = fc.record({
  weight: fc.constantFrom(0.01, 0.5, 1, 3, 20),
  sizes: fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 5 }),
});

function endless(flows: readonly { weight: number; sizes: readonly number[] }[]) {
  const sent = flows.map(() => 0);
  const pieces = flows.map(() => 0);
  const head = (n: number): number => {
    const sizes = flows[n]?.sizes ?? [];
    return sizes[(pieces[n] ?? 0) % sizes.length] ?? 0;
  };
  const asked: Flows = {
    sizeOf: (name) => head(Number(name)),
    weightOf: (name) => flows[Number(name)]!.weight,
  };
  const send = (round: RoundRobin): number => {
    const name = round.peek(asked);
    if (name === undefined) throw new Error('everybody has something to send');
    const n = Number(name);
    const size = head(n);
    round.charge(name, size);
    sent[n] = (sent[n] ?? 0) + size;
    pieces[n] = (pieces[n] ?? 0) + 1;
    return n;
  };
  return { sent, send, asked };
}

test('flows that always have something send by their weights, within two pieces and a quantum, at any time', () => {
  fc.assert(
    fc.property(
      fc.array(flow, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 400 }),
      (flows, sends) => {
        const round = new RoundRobin(QUANTUM);
        flows.forEach((_, n) => round.join(String(n)));
        const { sent, send } = endless(flows);
        for (let n = 0; n < sends; n += 1) send(round);
        // Lemma 2 of the paper, with weights: a flow has sent its quanta, plus or minus its largest piece.
        const rounds = sent.map((tokens, n) => {
          const { weight, sizes } = flows[n]!;
          const most = Math.max(...sizes);
          return { least: (tokens - most) / weight - QUANTUM, most: (tokens + most) / weight + QUANTUM };
        });
        const least = Math.max(...rounds.map((of) => of.least));
        const most = Math.min(...rounds.map((of) => of.most));
        expect(least).toBeLessThanOrEqual(most + 1e-6);
      },
    ),
  );
});

test('whoever has something is served, others gain nothing meanwhile, and asking changes nothing', () => {
  fc.assert(
    fc.property(fc.array(fc.option(flow, { nil: undefined }), { minLength: 1, maxLength: 6 }), (flows) => {
      const round = new RoundRobin(QUANTUM);
      flows.forEach((_, n) => round.join(String(n)));
      const sizeOf = (name: string) => flows[Number(name)]?.sizes[0];
      const asked: Flows = { sizeOf, weightOf: (name) => flows[Number(name)]?.weight ?? 1 };
      const first = round.peek(asked);
      expect(first === undefined).toBe(flows.every((one) => one === undefined));
      const { state } = round;
      expect(round.peek(asked)).toBe(first);
      expect(round.state).toEqual(state);
      flows.forEach((one, n) => {
        if (one === undefined) expect(state.deficits[n]).toBe(0);
      });
    }),
  );
});

test('it continues from its saved state as if it had never stopped', () => {
  fc.assert(
    fc.property(fc.array(flow, { minLength: 2, maxLength: 5 }), (flows) => {
      const whole = new RoundRobin(QUANTUM);
      flows.forEach((_, n) => whole.join(String(n)));
      let parts = new RoundRobin(QUANTUM, whole.state);
      const [one, other] = [endless(flows), endless(flows)];
      for (let n = 0; n < 60; n += 1) {
        const kept = JSON.stringify(parts.state);
        parts = new RoundRobin(QUANTUM, JSON.parse(kept));
        expect(other.send(parts)).toBe(one.send(whole));
      }
    }),
  );
});

test('flows that come and go leave no trace, and those that stay are served on', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(5), fc.boolean()), { maxLength: 60 }), (changes) => {
      const round = new RoundRobin(QUANTUM);
      const members = new Set<string>();
      for (const [n, joins] of changes) {
        const name = String(n);
        if (joins) round.join(name);
        else round.leave(name);
        if (joins) members.add(name);
        else members.delete(name);
        expect([...round.flows].sort()).toEqual([...members].sort());
        const next = round.peek({ sizeOf: () => 1000, weightOf: () => 1 });
        expect(next === undefined ? members.size === 0 : members.has(next)).toBe(true);
        if (next !== undefined) round.charge(next, 1000);
      }
    }),
  );
});

test('a small piece that comes beside large ones waits for one of them at most', () => {
  const round = new RoundRobin(QUANTUM);
  const sizes: Record<string, number> = { large: 60_000, other: 60_000 };
  const asked: Flows = { sizeOf: (name) => sizes[name], weightOf: () => 1 };
  for (const name of Object.keys(sizes)) round.join(name);
  const send = (): string => {
    const name = round.peek(asked) ?? '';
    round.charge(name, sizes[name] ?? 0);
    return name;
  };
  for (let n = 0; n < 7; n += 1) send();
  sizes['small'] = 20;
  round.join('small');
  expect([send(), send()]).toContain('small');
});
