import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Broker } from './broker.ts';
import { openBroker } from './open-broker.ts';
import { KEPT_SECONDS, SettledRates, SLOT_SECONDS } from './settled-rates.ts';
import { BROKERS } from './test-brokers.ts';

const brokers = BROKERS.filter(({ name }) => name === 'Redis' || name === 'PostgreSQL');

describe.each(brokers)('on $name', ({ missing, start }) => {
  let broker: Broker;
  const closers: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    if (missing !== undefined) return;
    const { options, stop } = await start();
    closers.push(stop);
    broker = await openBroker(options);
    closers.push(() => broker.close());
  });
  afterAll(async () => {
    for (const close of closers.reverse()) await close();
  });

  test.skipIf(missing !== undefined)(
    'what replicas settle is one sum, and each tenant has its own',
    async () => {
      const [one, other] = [new SettledRates(broker), new SettledRates(broker)];
      const now = 1_800_000_000_000;
      const settled = (documents: number) => ({ documents, failed: 1, tokens: 10 * documents });
      await one.add(new Map([['a b', settled(5)]]), now - 20_000);
      await other.add(new Map([['a b', settled(7)]]), now - 20_000 + 1000);
      await other.add(new Map([['', settled(3)]]), now);
      const all = await one.read(now);
      expect(all).toHaveLength(KEPT_SECONDS / SLOT_SECONDS + 1);
      expect(all.at(-3)).toEqual({ at: now - 20_000, documents: 12, failed: 2, tokens: 120 });
      expect(all.at(-1)).toEqual({ at: now, documents: 3, failed: 1, tokens: 30 });
      const own = await one.read(now, 'a b');
      expect(own.at(-3)).toMatchObject({ documents: 12 });
      expect(own.at(-1)).toMatchObject({ documents: 0 });
      const later = await other.read(now + KEPT_SECONDS * 1000 + 20_000);
      expect(later.reduce((sum, { documents }) => sum + documents, 0)).toBe(0);
    },
  );
});
