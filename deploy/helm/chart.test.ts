import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  CASE_NAMES,
  CASES,
  CHART,
  COPIES,
  hasHelm,
  helmLint,
  helmTemplate,
  RENDERED,
  STACK,
} from './chart.ts';
import { deploymentsOf, faultsOf, parseManifests, type Manifest } from './manifests.ts';

const helm = await hasHelm();
const skipped = helm ? '' : ' (skipped: no helm here)';
const CPU = CASES.cpu;

async function filesOf(folder: string): Promise<Record<string, string>> {
  const names = existsSync(folder) ? await readdir(folder) : [];
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const)),
  );
}

const scalersOf = (manifests: readonly Manifest[]): string[] =>
  manifests
    .filter(({ kind }) => kind === 'ScaledObject' || kind === 'HorizontalPodAutoscaler')
    .map(({ kind, metadata }) => `${kind}/${metadata.name}`);

test.each(COPIES)('%s has its copies in the chart: npm run render -w deploy', async (ours, copy) => {
  expect(await filesOf(copy)).toEqual(await filesOf(ours));
});

describe.skipIf(!helm)(`helm${skipped}`, () => {
  test.each(CASE_NAMES)('%s: what is committed is what it renders', async (name) => {
    expect(await readFile(join(RENDERED, `${name}.yaml`), 'utf8')).toBe(await helmTemplate(CASES[name]));
  });

  test.each(CASE_NAMES)('%s: lint finds no fault', async (name) => {
    expect(await helmLint(CASES[name])).toContain('0 chart(s) failed');
  });

  test.each([
    ['workerPools.cpu.replica=3', /\/workerPools\/cpu.*'replica' not allowed/],
    ['workerPools.cpu.device="rocm"', /\/workerPools\/cpu\/device.*must be one of 'cpu', 'cuda'/],
    ['workerPools.cpu.replicas="3"', /\/workerPools\/cpu\/replicas.*got string, want integer/],
    ['workerPools.CPU={}', /workerPools.*CPU/],
    ['queue.url="redis://user:secret@redis:6379"', /\/queue\/url.*does not match pattern/],
    ['api.foo=1', /\/api.*'foo' not allowed/],
    ['workerPools={}', /-f values\/cpu\.yaml/],
    ['api.keys.existingSecret=""', /who may call the API\?/],
    ['spool.s3.url=""', /which bucket\?/],
    ['workerPools.cpu.drainSeconds=30', /drainSeconds is 30.*batchSeconds 60.*make drainSeconds at least 90/],
    ['workerPools.cpu.batchSeconds=600', /make drainSeconds at least 630/],
    ['workerPools.cpu.gpu={"resource":"nvidia.com/mig-1g.10gb","count":2}', /one MIG slice/],
    ['workerPools.cpu.autoscaling={"kind":"hpa","minReplicas":0}', /use the kind keda/],
    ['workerPools.cpu.autoscaling={"minReplicas":11}', /11 is more than maxReplicas 10/],
    ['workerPools.cpu.autoscaling={"kind":"KEDA"}', /must be one of 'none', 'keda', 'hpa'/],
  ])('%s is refused, with what to do', async (set, message) => {
    await expect(helmTemplate(CPU, [set])).rejects.toThrow(message);
  });

  test.each([
    ['none', []],
    ['keda', ['ScaledObject/embedmill-worker-cpu']],
    ['hpa', ['HorizontalPodAutoscaler/embedmill-worker-cpu']],
  ])('autoscaling by %s renders exactly %j', async (kind, scalers) => {
    const manifests = parseManifests(
      await helmTemplate(CPU, [`workerPools.cpu.autoscaling={"kind":"${kind}"}`]),
    );
    expect(scalersOf(manifests)).toEqual(scalers);
    expect(manifests.flatMap(faultsOf)).toEqual([]);
  });

  test('KEDA reads the API’s number of one model without Prometheus', async () => {
    const set =
      'workerPools.cpu.autoscaling={"kind":"keda","minReplicas":0,"keda":{"trigger":"metrics-api"}}';
    const manifests = parseManifests(await helmTemplate(CPU, [set]));
    const scaler = manifests.find(({ kind }) => kind === 'ScaledObject')!;
    expect(faultsOf(scaler)).toEqual([]);
    expect(scaler['spec']).toMatchObject({
      minReplicaCount: 0,
      triggers: [
        {
          type: 'metrics-api',
          metadata: {
            url: 'http://embedmill-api.embedmill.svc:7070/api/v1/backlog?model=all-MiniLM-L6-v2',
            valueLocation: 'tokens',
          },
        },
      ],
    });
  });

  test('the commands of deploy/README.md name files that there are, and render', async () => {
    const readme = await readFile(join(CHART, '../../README.md'), 'utf8');
    const commands = readme
      .split('\n')
      .filter((line) => line.startsWith('helm upgrade --install embedmill deploy/helm/embedmill '));
    expect(commands).toHaveLength(2);
    for (const command of commands) {
      const files = [...command.matchAll(/--values deploy\/helm\/embedmill\/values\/(\S+)\.yaml/g)];
      const manifests = parseManifests(await helmTemplate(files.map(([, name = '']) => name)));
      expect(deploymentsOf(manifests)).toHaveLength(files.length);
    }
  });

  test('the grace period follows the drain', async () => {
    const set = 'workerPools.cpu={"batchSeconds":300,"drainSeconds":400}';
    const worker = deploymentsOf(parseManifests(await helmTemplate(CPU, [set]))).at(-1)!;
    expect(worker.spec!.template.spec!.terminationGracePeriodSeconds).toBe(415);
  });

  test('a volume in place of a bucket, an own Secret, dashboards: all fit their schemas', async () => {
    const manifests = parseManifests(
      await helmTemplate(CPU, [
        'spool={"kind":"volume"}',
        'secret={"existing":"","values":{"REDIS_URL":"redis://:secret@redis:6379"}}',
        'queue.url=""',
        'monitoring.dashboards.enabled=true',
        'monitoring.rules.enabled=true',
      ]),
    );
    expect(manifests.flatMap(faultsOf)).toEqual([]);
    const named = (kind: string): string[] =>
      manifests.filter((one) => one.kind === kind).map(({ metadata }) => metadata.name);
    expect(named('PersistentVolumeClaim')).toEqual(['embedmill-spool']);
    expect(named('Secret')).toEqual(['embedmill']);
    const dashboards = await filesOf(join(CHART, 'files/dashboards'));
    expect(named('ConfigMap')).toHaveLength(1 + Object.keys(dashboards).length);
    const rules = await filesOf(join(CHART, 'files/rules'));
    expect(named('PrometheusRule')).toHaveLength(Object.keys(rules).length);
  });
});

/** Fakes of the charts that embedmill-stack depends on: a Service each, with the name that Helm's own `create` gives. */
async function writeFakeChart(folder: string, name: string, version: string): Promise<void> {
  await mkdir(join(folder, 'templates'), { recursive: true });
  await writeFile(join(folder, 'Chart.yaml'), `apiVersion: v2\nname: ${name}\nversion: ${version}\n`);
  await writeFile(
    join(folder, 'templates/service.yaml'),
    'apiVersion: v1\nkind: Service\nmetadata: { name: "{{ .Release.Name }}-{{ .Chart.Name }}" }\n',
  );
}

describe.skipIf(!helm)(`the stack with a Redis and a Qdrant of its own${skipped}`, () => {
  test('its parts find one another, and each can be left out', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'embedmill-stack-'));
    try {
      await cp(STACK, folder, { recursive: true });
      await cp(CHART, join(folder, 'charts/embedmill'), { recursive: true });
      await writeFakeChart(join(folder, 'charts/valkey'), 'valkey', '1.0.0');
      await writeFakeChart(join(folder, 'charts/qdrant'), 'qdrant', '1.18.0');
      const render = async (sets: string[]): Promise<Manifest[]> =>
        parseManifests(await helmTemplate([], ['embedmill.api.insecure=true', ...sets], folder));
      const named = (manifests: readonly Manifest[], kind: string): string[] =>
        manifests.filter((one) => one.kind === kind).map(({ metadata }) => metadata.name);
      const whole = await render([]);
      expect(whole.filter(({ spec }) => spec !== undefined).flatMap(faultsOf)).toEqual([]);
      expect(named(whole, 'Service').sort()).toEqual([
        'embedmill-api',
        'embedmill-qdrant',
        'embedmill-redis',
      ]);
      expect(whole.find(({ kind }) => kind === 'ConfigMap')!['data']).toMatchObject({
        REDIS_URL: 'redis://embedmill-redis:6379',
        QDRANT_URL: 'http://embedmill-qdrant:6333',
        EMBEDMILL_SPOOL_DIR: '/spool',
      });
      expect(named(await render(['redis.enabled=false', 'qdrant.enabled=false']), 'Service')).toEqual([
        'embedmill-api',
      ]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
