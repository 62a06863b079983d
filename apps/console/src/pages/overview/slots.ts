import type { Slot } from '../../server/shapes.ts';

/** The slots of before, with those of an event in place of those of the same time; no more than an hour's. */
export function withSlots(before: readonly Slot[], latest: readonly Slot[], keptMs: number): readonly Slot[] {
  const byTime = new Map([...before, ...latest].map((slot) => [slot.at, slot]));
  const all = [...byTime.values()].toSorted((a, b) => a.at - b.at);
  const last = all.at(-1)?.at ?? 0;
  return all.filter(({ at }) => last - at <= keptMs);
}

/** What was done a second, from slot to slot; the last one is not over and is left out. */
export function ratesOf(slots: readonly Slot[], slotSeconds: number) {
  const whole = slots.slice(0, -1);
  return {
    times: whole.map(({ at }) => at),
    tokens: whole.map(({ tokens }) => tokens / slotSeconds),
    documents: whole.map(({ documents }) => documents / slotSeconds),
  };
}
