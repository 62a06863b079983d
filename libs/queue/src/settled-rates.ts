import type { Broker, Count } from './broker.ts';
import { answered } from './connection.ts';

/**
 * What jobs settled lately, in slots of ten seconds: counts that all dispatchers add to, one set a slot, which is gone
 * an hour later. So there are some hundred small sets, whatever is embedded, and every replica reads the same.
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
  /** When it began: epoch milliseconds. */
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

  /** Adds to the slot of `now`; tenants by their names, '' for none. */
  async add(byTenant: ReadonlyMap<string, Settled>, now: number): Promise<void> {
    const counts = slotKey(slotOf(now));
    const added = [...byTenant].flatMap(([tenant, settled]): Count[] =>
      UNITS.flatMap((unit) =>
        settled[unit] === 0 ? [] : [{ counts, field: `${unit} ${tenant}`, by: settled[unit] }],
      ),
    );
    await answered(this.#broker.addCounts(added, KEPT_SECONDS + SLOT_SECONDS));
  }

  /** The slots of the last hour, the oldest first, that of `now` included; those of one tenant, or of all. */
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
