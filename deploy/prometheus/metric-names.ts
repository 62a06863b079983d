import { createMetrics, METRICS, type MetricEntry } from '@embedmill/metrics';

/** Keywords of PromQL that can stand where a metric could. */
const WORDS = new Set(
  'and or unless by without on ignoring group_left group_right offset bool inf nan'.split(' '),
);

/** The metrics in a PromQL expression, with or without Grafana's variables. */
export function metricNames(expression: string): string[] {
  const bare = expression
    .replace(/"(?:[^"\\]|\\.)*"/g, '')
    .replace(/\{[^}]*\}/g, ' ')
    .replace(/\[[^\]]*\]/g, ' ')
    .replace(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ')
    .replace(/\boffset\s+\w+/g, ' ')
    .replace(/\$\w+/g, ' ');
  const found = [...bare.matchAll(/(?<![\w:.])[a-zA-Z_:][\w:]*(?!\s*\(|[\w:])/g)].map(([name]) => name);
  return [...new Set(found.filter((name) => !WORDS.has(name.toLowerCase())))].sort();
}

/** The names of all series that API and worker serve: those of the table, and prom-client's default metrics. */
export async function servedNames(): Promise<Set<string>> {
  const names = Object.values<MetricEntry>(METRICS).flatMap(({ name, type }) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
  const { body } = await createMetrics('worker').render();
  const others = [...body.matchAll(/^# TYPE (\S+) (?:gauge|counter)$/gm)].map(([, name = '']) => name);
  return new Set([...names, ...others]);
}
