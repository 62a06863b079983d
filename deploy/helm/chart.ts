import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The chart, and how `helm` renders it. Used by render.ts, which writes rendered/, and by the tests. */

export const CHART = join(import.meta.dirname, 'embedmill');
/** embedmill with a Redis and a Qdrant of its own; `helm dependency build` puts the chart into it first. */
export const STACK = join(import.meta.dirname, 'embedmill-stack');
export const RENDERED = join(import.meta.dirname, 'rendered');

/** What is rendered into rendered/NAME.yaml, and from which of the chart's value files. */
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

/** What the chart has copies of, since Helm reads no file outside of it: [folder of ours, folder of the chart]. */
export const COPIES = [
  [join(import.meta.dirname, '../prometheus/rules'), join(CHART, 'files/rules')],
  [join(import.meta.dirname, '../grafana/dashboards'), join(CHART, 'files/dashboards')],
] as const;

/** Helm's own default depends on how it was built. */
const KUBERNETES = '1.33.0';

/** Whether there is a `helm` on the PATH. */
export async function hasHelm(): Promise<boolean> {
  const folders = (process.env['PATH'] ?? '').split(':');
  const found = await Promise.allSettled(folders.map((folder) => access(join(folder, 'helm'))));
  return found.some(({ status }) => status === 'fulfilled');
}

/**
 * The manifests of value files of the chart, as YAML documents.
 *
 * @param sets more values, as `workerPools.cpu.replicas=3`; JSON on the right side is taken as such
 * @throws with Helm's message, when it refuses the values
 */
export async function helmTemplate(
  values: readonly string[],
  sets: readonly string[] = [],
  chart = CHART,
): Promise<string> {
  // What `helm test` runs is no part of an installation.
  const args = ['embedmill', chart, '--namespace', 'embedmill', '--skip-tests'];
  return helm('template', args, values, sets);
}

/** One template of the chart alone, by its path below templates/. */
export async function helmTemplateOf(path: string, values: readonly string[]): Promise<string> {
  const args = ['embedmill', CHART, '--namespace', 'embedmill', '--show-only', `templates/${path}`];
  return helm('template', args, values, []);
}

/** What `helm lint --strict` says; throws with it when it finds fault. */
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
