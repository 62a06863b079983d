import type { UsageReport, UsageRow } from '../../server/shapes.ts';
import { useState } from 'preact/hooks';
import { Button } from '../../parts/button.tsx';
import { Card, Figure, PageHead, Shown } from '../../parts/card.tsx';
import { Chart } from '../../parts/chart.tsx';
import { Choices } from '../../parts/fields.tsx';
import { Empty } from '../../parts/notice.tsx';
import { useAction, useLoaded } from '../../server/use-server.ts';
import { useLocale } from '../../words/locale.tsx';
import { daysAgo, dailyTokens } from './days.ts';

const SPANS = ['7', '30', '90'] as const;
const GROUPS = ['collection', 'model', 'tenant', 'key'] as const satisfies UsageReport['groupBy'];

/** Usage by day, and by collection, model, tenant or key. */
export function UsagePage() {
  const { t } = useLocale();
  const [span, setSpan] = useState<(typeof SPANS)[number]>('30');
  const [group, setGroup] = useState<(typeof GROUPS)[number]>('collection');
  const from = daysAgo(Number(span) - 1, Date.now());
  const rows = useUsage(from, group);
  const days = useUsage(from, 'day');
  return (
    <>
      <PageHead title={t('page.usage')} actions={<CsvButton from={from} />}>
        {t('usage.what')}
      </PageHead>
      <div class="filters">
        <Choices
          legend={t('usage.span')}
          value={span}
          options={SPANS.map((value) => ({ value, label: t('usage.days', { days: value }) }))}
          onChange={setSpan}
        />
        <Choices
          legend={t('usage.by')}
          value={group}
          options={GROUPS.map((value) => ({ value, label: t(`usage.${value}`) }))}
          onChange={setGroup}
        />
      </div>
      <Shown of={rows} lines={6}>
        {(report) => (
          <>
            <Totals report={report} />
            {days.data !== undefined && report.total.tokens > 0 && (
              <Card title={t('usage.perDay')}>
                <Chart label={t('usage.perDay')} {...dailyTokens(days.data, t('usage.tokens'))} />
              </Card>
            )}
            <Card whole title={t(`usage.${group}`)}>
              {report.rows.length === 0 ? (
                <Empty icon="usage" title={t('usage.none')}>
                  {t('usage.none.what')}
                </Empty>
              ) : (
                <Table rows={report.rows} group={group} />
              )}
            </Card>
          </>
        )}
      </Shown>
    </>
  );
}

function useUsage(from: string, group: UsageReport['groupBy'][number]) {
  return useLoaded(`usage ${from} ${group}`, (client, options) =>
    client.usage.report({ from, groupBy: group, ...options }),
  );
}

function Totals({ report: { total } }: { report: UsageReport }) {
  const { t, format } = useLocale();
  return (
    <dl class="figures">
      <Figure name={t('documents')} value={format.compact(total.documents)} />
      <Figure name={t('usage.tokens')} value={format.compact(total.tokens)} />
      <Figure name={t('usage.engine')} value={format.duration(total.engineSeconds)} />
      {total.cost !== null && <Figure name={t('usage.cost')} value={format.decimal(total.cost, 2)} />}
    </dl>
  );
}

function Table({ rows, group }: { rows: readonly UsageRow[]; group: (typeof GROUPS)[number] }) {
  const { t, format } = useLocale();
  const most = Math.max(1, ...rows.map(({ tokens }) => tokens));
  const hasCost = rows.some(({ cost }) => cost !== null);
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label={t(`usage.${group}`)}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t(`usage.${group}`)}</th>
            <th scope="col" class="number">
              {t('documents')}
            </th>
            <th scope="col" class="number">
              {t('usage.tokens')}
            </th>
            <th scope="col" class="wide">
              <span class="unseen">{t('usage.share')}</span>
            </th>
            <th scope="col" class="number wide">
              {t('usage.engine')}
            </th>
            {hasCost && (
              <th scope="col" class="number">
                {t('usage.cost')}
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {rows
            .toSorted((a, b) => b.tokens - a.tokens)
            .map((row) => (
              <tr key={row[group] ?? ''} class="row">
                <td class="break">{row[group] ?? <span class="muted">{t('usage.nobody')}</span>}</td>
                <td class="number">{format.count(row.documents)}</td>
                <td class="number">{format.compact(row.tokens)}</td>
                <td class="wide">
                  <meter min={0} max={most} value={row.tokens} aria-label={t('usage.share')} />
                </td>
                <td class="number wide">{format.duration(row.engineSeconds)}</td>
                {hasCost && <td class="number">{row.cost === null ? '–' : format.decimal(row.cost, 2)}</td>}
              </tr>
            ))}
        </tbody>
      </table>
    </div>
  );
}

function CsvButton({ from }: { from: string }) {
  const { t } = useLocale();
  const save = useAction(async (client) => {
    const blob = new Blob([await client.usage.csv({ from })], { type: 'text/csv' });
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = `usage-${from}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  });
  return (
    <Button disabled={save.isRunning} onClick={() => void save.run()}>
      {t('usage.csv')}
    </Button>
  );
}
