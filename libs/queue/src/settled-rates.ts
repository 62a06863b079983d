import type { Broker, Count } from './broker.ts';
import { answered } from './connection.ts';

/**
 * What jobs settled recently, in slots of ten seconds. All dispatchers add to the same counts, one set per slot, which
 * expires after an hour. So there are only a few hundred small sets, and every replica reads the same.
 */
export const SLOT_SECONDS = 10;
export const KEPT_SECONDS = 3600;

export interface Settled {
  documents: number;
  /** Of them. */
  failed: number;
  tokens: number;
}

export interface SettledSlot extends Settled {
  /** The slot's start in epoch milliseconds. */
  at: number;
}

const UNITS = ['documents', 'failed', 'tokens'] as const;
const slotKey = (slot: number): string => `settled:${slot}`;
const slotOf = (now: number): number => Math.floor(now / 1000 / SLOT_SECONDS);

export class SettledRates {
  readonly #broker: Broker;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** Adds to the slot of `now`; tenants by name, '' for none. */
  async add(byTenant: ReadonlyMap<string, Settled>, now: number): Promise<void> {
    const counts = slotKey(slotOf(now));
    const added = [...byTenant].flatMap(([tenant, settled]): Count[] =>
      UNITS.flatMap((unit) =>
        settled[unit] === 0 ? [] : [{ counts, field: `${unit} ${tenant}`, by: settled[unit] }],
      ),
    );
    await answered(this.#broker.addCounts(added, KEPT_SECONDS + SLOT_SECONDS));
  }

  /** The slots of the last hour, oldest first, including that of `now`; for one tenant or for all. */
  async read(now: number, tenant?: string): Promise<SettledSlot[]> {
    const last = slotOf(now);
    const slots = Array.from({ length: KEPT_SECONDS / SLOT_SECONDS + 1 }, (_, n) => n).map(
      (n) => last - KEPT_SECONDS / SLOT_SECONDS + n,
    );
    const counts = await answered(this.#broker.readCounts(slots.map(slotKey)));
    return slots.map((slot, n) => ({
      at: slot * SLOT_SECONDS * 1000,
      ...sumOf(counts[n] ?? {}, tenant),
    }));
  }
}

function sumOf(counts: Readonly<Record<string, number>>, tenant: string | undefined): Settled {
  const sum: Settled = { documents: 0, failed: 0, tokens: 0 };
  for (const [field, value] of Object.entries(counts)) {
    const at = field.indexOf(' ');
    const unit = UNITS.find((one) => one === field.slice(0, at));
    if (unit !== undefined && (tenant === undefined || field.slice(at + 1) === tenant)) sum[unit] += value;
  }
  return sum;
}
