import { expect, test } from 'vitest';
import type { UsageEntry } from '@embedmill/queue';
import { usageCsv, usageReport } from './usage-report.ts';

const entry = (changes: Partial<UsageEntry>): UsageEntry => ({
  day: '2026-11-29',
  key: 'k',
  tenant: '',
  collection: 'docs',
  model: 'small',
  documents: 1,
  tokens: 1_000_000,
  engineMs: 1500,
  ...changes,
});
const span = {
  from: '2026-11-28',
  to: '2026-11-29',
  prices: new Map([
    ['small', 0.1],
    ['large', 2],
  ]),
};

test('usage is summed by the requested dimensions, and priced by model', () => {
  const entries = [
    entry({}),
    entry({ day: '2026-11-28', tenant: 'acme' }),
    entry({ model: 'large', tenant: 'acme', tokens: 250_000 }),
    entry({ model: 'free', tenant: 'other', tokens: 7 }),
  ];
  const { rows, total } = usageReport(entries, { ...span, groupBy: ['tenant'] });
  const none = { day: null, key: null, collection: null, model: null };
  expect(rows).toEqual([
    { ...none, tenant: null, documents: 1, tokens: 1_000_000, engineSeconds: 1.5, cost: 0.1 },
    { ...none, tenant: 'acme', documents: 2, tokens: 1_250_000, engineSeconds: 3, cost: 0.6 },
    { ...none, tenant: 'other', documents: 1, tokens: 7, engineSeconds: 1.5, cost: null },
  ]);
  expect(total).toEqual({ documents: 4, tokens: 2_250_007, engineSeconds: 6, cost: 0.7 });
  expect(usageReport(entries, { ...span, groupBy: [] }).rows).toMatchObject([{ documents: 4 }]);
  expect(usageReport([], { ...span, groupBy: ['day'] })).toMatchObject({
    rows: [],
    total: { tokens: 0, cost: null },
  });
});

test('as CSV each name is one field, whatever is in it', () => {
  const entries = [entry({ tenant: 'a, "b"\nc' }), entry({ tenant: '', model: 'free' })];
  const report = usageReport(entries, { ...span, groupBy: ['model', 'tenant', 'day'] });
  expect(usageCsv(report).split('\r\n')).toEqual([
    'day,tenant,model,documents,tokens,engineSeconds,cost',
    '2026-11-29,,free,1,1000000,1.5,',
    '2026-11-29,"a, ""b""\nc",small,1,1000000,1.5,0.1',
    '',
  ]);
});
