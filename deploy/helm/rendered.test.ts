import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CASE_NAMES, RENDERED } from './chart.ts';
import { faultsOfEnvironment } from '../settings.ts';
import { deploymentsOf, faultsOf, parseManifests, type Manifest } from './manifests.ts';

const read = async (name: string): Promise<Manifest[]> =>
  parseManifests(await readFile(join(RENDERED, `${name}.yaml`), 'utf8'));

const nameOf = ({ kind, metadata }: Manifest): string => `${kind}/${metadata.name}`;

test('a misspelt field and an invalid value are found', () => {
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' } };
  expect(faultsOf({ ...service, spec: { ports: [{ port: 80, targetport: 1 }] } })).toEqual([
    '/spec/ports/0/targetport: there is no such field',
  ]);
  expect(faultsOf({ ...service, spec: { ports: [{ port: 'http' }] } })).toEqual([
    expect.stringContaining('/spec/ports/0/port'),
  ]);
});

test('a misspelt field is found in every kind', async () => {
  for (const manifest of await read('production')) {
    const isSpec = typeof manifest['spec'] === 'object';
    const changed = isSpec
      ? { ...manifest, spec: { ...(manifest['spec'] as object), misspelt: 1 } }
      : { ...manifest, misspelt: 1 };
    expect(faultsOf(changed), nameOf(manifest)).toEqual([
      `${isSpec ? '/spec' : ''}/misspelt: there is no such field`,
    ]);
  }
});

describe.each(CASE_NAMES)('%s', (name) => {
  test('every object fits the schema of its kind and has a unique name', async () => {
    const manifests = await read(name);
    expect(manifests.length).toBeGreaterThan(8);
    const faults = manifests.flatMap((one) => faultsOf(one).map((fault) => `${nameOf(one)} ${fault}`));
    expect(faults).toEqual([]);
    expect(new Set(manifests.map(nameOf)).size).toBe(manifests.length);
  });

  test('every pod conforms to PodSecurity "restricted" and writes only to volumes', async () => {
    for (const { metadata, spec } of deploymentsOf(await read(name))) {
      const pod = spec!.template.spec!;
      expect(pod.securityContext, metadata!.name).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(pod.automountServiceAccountToken).toBe(false);
      expect(pod.volumes!.filter((volume) => volume.hostPath)).toEqual([]);
      expect(pod).not.toMatchObject({ hostNetwork: true });
      for (const { securityContext } of [...pod.containers, ...(pod.initContainers ?? [])]) {
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      }
    }
  });

  test('probes use existing routes: started, ready, making progress', async () => {
    for (const { spec } of deploymentsOf(await read(name))) {
      const [container] = spec!.template.spec!.containers;
      const ports = container!.ports!.map((port) => port.name);
      for (const [probe, path] of [
        [container!.startupProbe, '/startupz'],
        [container!.readinessProbe, '/readyz'],
        [container!.livenessProbe, '/healthz'],
      ] as const) {
        expect(probe!.httpGet!.path).toBe(path);
        expect(ports).toContain(probe!.httpGet!.port);
      }
    }
  });

  test('a stopping worker has time for its drain, and the drain for the longest batch', async () => {
    const workers = deploymentsOf(await read(name)).filter(
      ({ metadata }) => metadata!.name !== 'embedmill-api',
    );
    expect(workers.length).toBeGreaterThan(0);
    for (const { spec } of workers) {
      const pod = spec!.template.spec!;
      const seconds = (setting: string): number =>
        Number(pod.containers[0]!.env!.find((one) => one.name === setting)!.value);
      const drain = seconds('EMBEDMILL_WORKER_DRAIN_SECONDS');
      expect(drain).toBeGreaterThan(seconds('EMBEDMILL_WORKER_BATCH_SECONDS'));
      expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(drain);
      expect(pod.containers[0]!.lifecycle!.preStop!.exec!.command).toContain('process.kill(1, "SIGTERM")');
      const liveness = pod.containers[0]!.livenessProbe!;
      expect(liveness.periodSeconds! * liveness.failureThreshold!).toBeGreaterThanOrEqual(
        seconds('EMBEDMILL_WORKER_BATCH_SECONDS'),
      );
    }
  });

  test('every variable is a known setting of the app with a valid value', async () => {
    const manifests = await read(name);
    const shared = manifests.find(({ kind }) => kind === 'ConfigMap')!['data'] as Record<string, string>;
    for (const { metadata, spec } of deploymentsOf(manifests)) {
      const own = spec!.template.spec!.containers[0]!.env!.map(
        (one) => [one.name, one.value ?? '1'] as const,
      );
      const environment = { ...shared, ...Object.fromEntries(own) };
      expect(Object.keys(environment).length).toBeGreaterThan(8);
      const app = metadata!.name === 'embedmill-api' ? 'api' : 'worker';
      expect(await faultsOfEnvironment(app, environment), metadata!.name).toEqual([]);
    }
  });

  test('no variable is set twice: Helm 4 would send neither', async () => {
    for (const { metadata, spec } of deploymentsOf(await read(name))) {
      const names = spec!.template.spec!.containers[0]!.env!.map((one) => one.name);
      expect(names.length, metadata!.name).toBe(new Set(names).size);
    }
  });

  test('a rollout has time for a pod to end and another to start', async () => {
    for (const { metadata, spec } of deploymentsOf(await read(name))) {
      const { terminationGracePeriodSeconds: grace, containers } = spec!.template.spec!;
      const { periodSeconds, failureThreshold } = containers[0]!.startupProbe!;
      const pod = grace! + periodSeconds! * failureThreshold!;
      expect(spec!.progressDeadlineSeconds, metadata!.name).toBeGreaterThan(pod);
    }
  });

  test('a pod that is not ready does not block the draining of its node', async () => {
    for (const { kind, spec } of await read(name))
      if (kind === 'PodDisruptionBudget')
        expect(spec).toMatchObject({ unhealthyPodEvictionPolicy: 'AlwaysAllow' });
  });

  test('all pools are scaled by KEDA, or none: only one server may own external metrics', async () => {
    const manifests = await read(name);
    const external = manifests.filter(
      ({ kind, spec }) =>
        kind === 'HorizontalPodAutoscaler' && JSON.stringify(spec).includes('"type":"External"'),
    );
    if (manifests.some(({ kind }) => kind === 'ScaledObject')) expect(external).toEqual([]);
  });

  test('a pool without pods stays at zero if the backlog cannot be read', async () => {
    for (const { kind, spec } of await read(name))
      if (kind === 'ScaledObject')
        expect(spec).toMatchObject({ fallback: { replicas: 0, behavior: 'currentReplicasIfHigher' } });
  });

  test('metrics and health are not exposed outside, and no pod needs a priority class', async () => {
    const manifests = await read(name);
    const prefixes = manifests
      .filter(({ kind }) => kind === 'Ingress')
      .flatMap(({ spec }) =>
        (spec as { rules: { http: { paths: { path: string }[] } }[] }).rules.flatMap(({ http }) =>
          http.paths.map(({ path }) => path),
        ),
      );
    for (const path of ['/metrics', '/healthz', '/readyz', '/startupz'])
      expect(prefixes.filter((prefix) => `${path}/`.startsWith(`${prefix}/`))).toEqual([]);
    for (const { spec } of deploymentsOf(manifests))
      expect(spec!.template.spec!.priorityClassName).toBeUndefined();
  });

  test('a pool has at most one autoscaler, and its Deployment sets replicas only without one', async () => {
    const manifests = await read(name);
    for (const { metadata, spec } of deploymentsOf(manifests)) {
      const scalers = manifests.filter(({ kind, ...fields }) => {
        const target = (fields['spec'] as { scaleTargetRef?: { name?: string } } | undefined)?.scaleTargetRef;
        return (
          (kind === 'ScaledObject' || kind === 'HorizontalPodAutoscaler') && target?.name === metadata!.name
        );
      });
      expect(scalers.length, metadata!.name).toBe(spec!.replicas === undefined ? 1 : 0);
    }
  });

  test('selectors match their own pods only', async () => {
    const manifests = await read(name);
    const pods = deploymentsOf(manifests).map(({ metadata, spec }) => ({
      name: metadata!.name,
      labels: spec!.template.metadata!.labels!,
      selector: spec!.selector.matchLabels!,
    }));
    const found = (selector: Record<string, string>): (string | undefined)[] =>
      pods
        .filter(({ labels }) => Object.entries(selector).every(([key, value]) => labels[key] === value))
        .map((pod) => pod.name);
    for (const pod of pods) expect(found(pod.selector)).toEqual([pod.name]);
    const service = manifests.find(({ kind }) => kind === 'Service')!['spec'] as {
      selector: Record<string, string>;
    };
    expect(found(service.selector)).toEqual(['embedmill-api']);
    for (const { kind, metadata, spec } of manifests) {
      if (kind !== 'PodDisruptionBudget') continue;
      const { selector } = spec as { selector: { matchLabels: Record<string, string> } };
      expect(found(selector.matchLabels)).toEqual([metadata.name]);
    }
  });
});

test('beside pools at zero, one replica with their model answers queries only', async () => {
  const manifests = await read('production');
  const settingOf = (pool: string, setting: string) =>
    deploymentsOf(manifests)
      .find(({ metadata }) => metadata!.name === `embedmill-worker-${pool}`)!
      .spec!.template.spec!.containers[0]!.env!.find(({ name }) => name === setting)?.value;
  const asleep = manifests.filter(
    ({ kind, spec }) =>
      kind === 'ScaledObject' && (spec as { minReplicaCount: number }).minReplicaCount === 0,
  );
  expect(asleep.map(({ metadata }) => metadata.name)).toEqual(['embedmill-worker-h100']);
  const warm = deploymentsOf(manifests).find(({ metadata }) => metadata!.name === 'embedmill-worker-warm')!;
  expect(warm.spec!.replicas).toBe(1);
  expect(settingOf('warm', 'EMBEDMILL_WORKER_SHARDS')).toBe('0');
  const models = settingOf('h100', 'EMBEDMILL_WORKER_MODELS');
  expect(models).toBeDefined();
  expect(settingOf('warm', 'EMBEDMILL_WORKER_MODELS')).toBe(models);
});

test('GPU pools request their GPU, or MIG slice, by the name of its resource', async () => {
  for (const [name, resource] of [
    ['t4', 'nvidia.com/gpu'],
    ['a100-mig', 'nvidia.com/mig-1g.10gb'],
  ] as const) {
    const pool = deploymentsOf(await read(name)).find(({ metadata }) => metadata!.name!.endsWith(name))!;
    const [container] = pool.spec!.template.spec!.containers;
    expect(container!.resources!.limits).toMatchObject({ [resource]: 1 });
    expect(container!.image).toContain('worker-cuda');
    expect(container!.env).toContainEqual({ name: 'EMBEDMILL_WORKER_DEVICE', value: 'cuda:0' });
    expect(pool.spec!.strategy!.rollingUpdate).toEqual({ maxSurge: 0, maxUnavailable: '25%' });
  }
});
