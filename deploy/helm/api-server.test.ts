import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiServer, MISSING } from './api-server.ts';
import { CASE_NAMES, CASES, CHART, hasHelm, helmTemplate, RENDERED, STACK } from './chart.ts';
import { parseManifests, type Manifest } from './manifests.ts';

/**
 * What a real API server says of the rendered objects. KUBERNETES_CRDS names a folder with the definitions of KEDA's, the
 * Gateway API's and the Prometheus operator's resources; without it, a server knows none of these.
 */
const CRDS = process.env['KUBERNETES_CRDS'];
const NAMESPACE = 'embedmill';
const isMissing = MISSING.length > 0;
const skipped = isMissing ? ` (skipped: no ${MISSING.join(' and no ')} here)` : '';
const helm = await hasHelm();

let server: ApiServer;

beforeAll(async () => {
  if (isMissing) return;
  server = await ApiServer.start();
  const labels = Object.fromEntries(
    ['enforce', 'warn'].map((mode) => [`pod-security.kubernetes.io/${mode}`, 'restricted']),
  );
  await server.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } });
  for (const name of CRDS === undefined ? [] : await readdir(CRDS)) {
    const definitions = parseManifests(await readFile(join(CRDS ?? '', name), 'utf8'));
    for (const definition of definitions.filter(({ kind }) => kind === 'CustomResourceDefinition')) {
      await server.create(definition);
      const { group, names, versions } = definition['spec'] as {
        group: string;
        names: { kind: string };
        versions: { name: string; served: boolean }[];
      };
      for (const { name: version } of versions.filter(({ served }) => served))
        await expect
          .poll(() => server.has({ apiVersion: `${group}/${version}`, kind: names.kind }), {
            timeout: 60_000,
          })
          .toBe(true);
    }
  }
}, 300_000);
afterAll(() => (isMissing ? undefined : server.stop()));

/** Groups whose kinds the server knows only if their definitions were given. */
const CUSTOM = ['keda.sh', 'monitoring.coreos.com', 'gateway.networking.k8s.io'];
const isCustom = ({ apiVersion }: Manifest): boolean => CUSTOM.includes(apiVersion.split('/')[0] ?? '');

interface PodStarter {
  template: { metadata: object; spec: { volumes?: object[] } };
  volumeClaimTemplates?: { metadata: { name: string } }[];
}

async function faultsOf(manifests: readonly Manifest[]): Promise<string[]> {
  const faults: string[] = [];
  for (const manifest of manifests) {
    const { kind, metadata } = manifest;
    const note = (found: string[]) =>
      faults.push(...found.map((fault) => `${kind}/${metadata.name}: ${fault}`));
    if (kind === 'Namespace' || (isCustom(manifest) && !(await server.has(manifest)))) continue;
    note(await server.faultsOf(manifest, NAMESPACE));
  }
  // What starts pods is taken also where its pods are not.
  for (const { kind, metadata, spec } of manifests) {
    if (kind !== 'Deployment' && kind !== 'StatefulSet' && kind !== 'Job') continue;
    const { template, volumeClaimTemplates = [] } = spec as PodStarter;
    const claims = volumeClaimTemplates.map(({ metadata: claim }) => ({ name: claim.name, emptyDir: {} }));
    const { metadata: own, spec: pod } = template;
    const volumes = [...(pod.volumes ?? []), ...claims];
    const name = `${metadata.name}-1`;
    const one = { apiVersion: 'v1', kind: 'Pod', metadata: { ...own, name }, spec: { ...pod, volumes } };
    faults.push(...(await server.faultsOfNew(one, NAMESPACE)).map((fault) => `Pod/${name}: ${fault}`));
  }
  return faults;
}

describe.skipIf(isMissing)(`a real API server${skipped}`, () => {
  test('knows the definitions that were given, and refuses what is wrong', async () => {
    const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' } };
    const [fault] = await server.faultsOf(
      { ...service, spec: { ports: [{ port: 80, targetport: 1 }] } },
      NAMESPACE,
    );
    expect(fault).toContain('targetport');
    const pod = { containers: [{ name: 'a', image: 'a' }] };
    const [refused] = await server.faultsOfNew(
      { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: pod },
      NAMESPACE,
    );
    expect(refused).toContain('violates PodSecurity "restricted');
    if (CRDS !== undefined)
      expect(await server.has({ apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject' })).toBe(true);
  });

  test.each(CASE_NAMES)('%s: takes every object and every pod, and warns of none', async (name) => {
    const manifests = parseManifests(await readFile(join(RENDERED, `${name}.yaml`), 'utf8'));
    expect(await faultsOf(manifests)).toEqual([]);
  });

  test.skipIf(!helm)('takes what a platform may add', async () => {
    const init = {
      name: 'proxy',
      image: 'mesh/init:1',
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    };
    const manifests = parseManifests(
      await helmTemplate(CASES.cpu, [
        ...['api', 'workerPools.cpu'].flatMap((part) => [
          `${part}.podLabels={"team":"search"}`,
          `${part}.initContainers=${JSON.stringify([init])}`,
          `${part}.extraVolumes=[{"name":"extra","emptyDir":{}}]`,
          `${part}.extraVolumeMounts=[{"name":"extra","mountPath":"/extra"}]`,
        ]),
        'api.env={"EMBEDMILL_API_CORS_ORIGINS":"https://a.example.com,https://b.example.com"}',
        'config={"EMBEDMILL_HUB_URL":"https://hub.example.com:8443,https://[2001:db8::1]:443"}',
        'spool={"kind":"volume"}',
        'models.download=["bge-base-en-v1.5"]',
        'gateway={"enabled":true,"parentRefs":[{"name":"public"}],"hostnames":["embed.example.com"]}',
        'ingress={"enabled":true,"host":"embed.example.com"}',
        'workerPools.cpu.autoscaling={"kind":"hpa"}',
        'monitoring={"monitors":{"enabled":true},"rules":{"enabled":true},"dashboards":{"enabled":true}}',
      ]),
    );
    expect(await faultsOf(manifests)).toEqual([]);
  });

  test.skipIf(!helm)('takes the stack', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'embedmill-stack-'));
    try {
      await cp(STACK, folder, { recursive: true });
      await cp(CHART, join(folder, 'charts/embedmill'), { recursive: true });
      const manifests = parseManifests(await helmTemplate([], [], folder));
      expect(manifests.filter(({ kind }) => kind === 'StatefulSet')).toHaveLength(2);
      expect(await faultsOf(manifests)).toEqual([]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
