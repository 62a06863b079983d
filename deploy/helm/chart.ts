import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The chart, and how `helm` renders it. Used by render.ts, which writes rendered/, and by the tests. */

export const CHART = join(import.meta.dirname, 'embedmill');
/** embedmill with its own Redis and Qdrant; `helm dependency build` puts the chart into it first. */
export const STACK = join(import.meta.dirname, 'embedmill-stack');
export const RENDERED = join(import.meta.dirname, 'rendered');

/** The chart's value files from which each rendered/NAME.yaml is rendered. */
export const CASES = {
  cpu: ['cluster', 'cpu'],
  t4: ['cluster', 't4'],
  a10g: ['cluster', 'a10g'],
  l4: ['cluster', 'l4'],
  'a100-mig': ['cluster', 'a100-mig'],
  h100: ['cluster', 'h100'],
  milvus: ['cluster', 'milvus', 'cpu'],
  production: ['cluster', 'production', 'cpu', 'h100', 'warm'],
} as const;
export type CaseName = keyof typeof CASES;
export const CASE_NAMES = Object.keys(CASES) as CaseName[];

/** Folders that are copied into the chart, because Helm reads no files outside of it: [source, copy]. */
export const COPIES = [
  [join(import.meta.dirname, '../prometheus/rules'), join(CHART, 'files/rules')],
  [join(import.meta.dirname, '../grafana/dashboards'), join(CHART, 'files/dashboards')],
] as const;

/** Set because Helm's default depends on how it was built. */
const KUBERNETES = '1.33.0';

/** Whether `helm` is on the PATH. */
export async function hasHelm(): Promise<boolean> {
  const folders = (process.env['PATH'] ?? '').split(':');
  const found = await Promise.allSettled(folders.map((folder) => access(join(folder, 'helm'))));
  return found.some(({ status }) => status === 'fulfilled');
}

/**
 * Renders the chart with some of its value files.
 *
 * @param sets further values, such as `workerPools.cpu.replicas=3`; the right side may be JSON
 * @throws with Helm's message, if it refuses the values
 */
export async function helmTemplate(
  values: readonly string[],
  sets: readonly string[] = [],
  chart = CHART,
): Promise<string> {
  // What `helm test` runs is not part of an installation.
  const args = ['embedmill', chart, '--namespace', 'embedmill', '--skip-tests'];
  return helm('template', args, values, sets);
}

/** Renders one template of the chart, given by its path below templates/. */
export async function helmTemplateOf(path: string, values: readonly string[]): Promise<string> {
  const args = ['embedmill', CHART, '--namespace', 'embedmill', '--show-only', `templates/${path}`];
  return helm('template', args, values, []);
}

/** The output of `helm lint --strict`; throws with it if lint finds a fault. */
export async function helmLint(values: readonly string[]): Promise<string> {
  return helm('lint', ['--strict', CHART], values, []);
}

async function helm(
  command: string,
  args: readonly string[],
  values: readonly string[],
  sets: readonly string[],
): Promise<string> {
  const { stdout } = await promisify(execFile)('helm', [
    ...[command, ...args, '--kube-version', KUBERNETES],
    ...values.flatMap((name) => ['--values', join(CHART, 'values', `${name}.yaml`)]),
    ...sets.flatMap((set) => ['--set-json', set]),
  ]);
  return stdout;
}
