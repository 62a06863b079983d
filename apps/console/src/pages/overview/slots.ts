import type { Slot } from '../../server/shapes.ts';

/** Replaces earlier slots by the event's slots of the same time, and drops those older than `keptMs`. */
export function withSlots(before: readonly Slot[], latest: readonly Slot[], keptMs: number): readonly Slot[] {
  const byTime = new Map([...before, ...latest].map((slot) => [slot.at, slot]));
  const all = [...byTime.values()].toSorted((a, b) => a.at - b.at);
  const last = all.at(-1)?.at ?? 0;
  return all.filter(({ at }) => last - at <= keptMs);
}

/** Rates per second of each slot. The last slot is still in progress and is left out. */
export function ratesOf(slots: readonly Slot[], slotSeconds: number) {
  const whole = slots.slice(0, -1);
  return {
    times: whole.map(({ at }) => at),
    tokens: whole.map(({ tokens }) => tokens / slotSeconds),
    documents: whole.map(({ documents }) => documents / slotSeconds),
  };
}
