import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { RENDERED } from './chart.ts';
import { parseManifests } from './manifests.ts';

const run = promisify(execFile);
const promtool = await run('promtool', ['--version']).then(
  () => true,
  () => false,
);

/** The query of the pool h100, which serves bge-base-en-v1.5. */
async function queryOf(name: string): Promise<string> {
  const manifests = parseManifests(await readFile(join(RENDERED, `${name}.yaml`), 'utf8'));
  const { triggers } = manifests.find(({ kind }) => kind === 'ScaledObject')!['spec'] as {
    triggers: { metadata: { query: string } }[];
  };
  return triggers[0]!.metadata.query;
}

const backlog = (model: string, pod: string, value: number, namespace = 'embedmill'): object => ({
  series: `embedmill_backlog_tokens{namespace="${namespace}",pod="${pod}",model="${model}"}`,
  values: `${value}x5`,
});
const paused = (pod: string): object => ({
  series: `embedmill_queue_paused{namespace="embedmill",pod="${pod}"}`,
  values: '0x5',
});
const BGE = 'bge-base-en-v1.5';

test.skipIf(!promtool).each([
  [
    'API replicas that report the same are counted once, and other models and releases are ignored',
    [
      ...[backlog(BGE, 'a', 700), backlog(BGE, 'b', 700), backlog('other', 'a', 5)],
      ...[backlog(BGE, 'c', 90, 'elsewhere'), paused('a'), paused('b')],
    ],
    [700],
  ],
  ['a model that no API reports has no backlog', [backlog('other', 'a', 5), paused('a')], [0]],
  ['without an API, there is no value rather than 0', [], []],
])(`KEDA’s query: %s${promtool ? '' : ' (skipped: no promtool here)'}`, async (_name, series, values) => {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-autoscaling-'));
  try {
    const record = 'pool:tokens';
    const rules = { groups: [{ name: 'g', rules: [{ record, expr: await queryOf('h100') }] }] };
    const expected = values.map((value) => ({ labels: record, value }));
    const tests = {
      rule_files: ['rules.yaml'],
      tests: [
        {
          interval: '1m',
          input_series: series,
          promql_expr_test: [{ expr: record, eval_time: '2m', exp_samples: expected }],
        },
      ],
    };
    await writeFile(join(folder, 'rules.yaml'), stringify(rules));
    await writeFile(join(folder, 'tests.yaml'), stringify(tests));
    const { stdout } = await run('promtool', ['test', 'rules', 'tests.yaml'], { cwd: folder });
    expect(stdout).toContain('SUCCESS');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
