import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import {
  CASE_NAMES,
  CASES,
  CHART,
  COPIES,
  hasHelm,
  helmLint,
  helmTemplate,
  helmTemplateOf,
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

test.each(COPIES)(
  '%s is copied into the chart; if not, run "npm run render -w deploy"',
  async (ours, copy) => {
    expect(await filesOf(copy)).toEqual(await filesOf(ours));
  },
);

describe.skipIf(!helm)(`helm${skipped}`, () => {
  test.each(CASE_NAMES)('%s: the committed manifests are up to date', async (name) => {
    // Helm 4 has different blank lines than Helm 3.
    const committed = await readFile(join(RENDERED, `${name}.yaml`), 'utf8');
    expect(parseManifests(committed)).toEqual(parseManifests(await helmTemplate(CASES[name])));
  });

  test.each(CASE_NAMES)('%s: helm lint accepts the values', async (name) => {
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
    ['api.keys.existingSecret=""', /access to the API is not configured/],
    ['spool.s3.url=""', /the bucket is missing/],
    ['workerPools.cpu.drainSeconds=30', /drainSeconds is 30.*batchSeconds 60.*make drainSeconds at least 90/],
    ['workerPools.cpu.batchSeconds=600', /make drainSeconds at least 630/],
    ['workerPools.cpu.gpu={"resource":"nvidia.com/mig-1g.10gb","count":2}', /one MIG slice/],
    ['workerPools.cpu.autoscaling={"kind":"hpa","minReplicas":0}', /use the kind keda/],
    ['workerPools.cpu.autoscaling={"minReplicas":11}', /11 is more than maxReplicas 10/],
    ['workerPools.cpu.autoscaling={"kind":"KEDA"}', /must be one of 'none', 'keda', 'hpa'/],
    ['api.autoscaling={"minReplicas":9}', /minReplicas 9 is more than maxReplicas 6/],
    ['fullnameOverride="Foo_Bar"', /\/fullnameOverride.*does not match pattern/],
    ['spool.volume.size="10Gigs"', /\/spool\/volume\/size.*does not match pattern/],
    ['workerPools.cpu.resources={"limits":{"memory":"10Gigs"}}', /\/resources\/limits\/memory/],
    ['api.keys.existingSecret="My_Keys"', /\/api\/keys\/existingSecret.*does not match pattern/],
    ['workerPools.cpu.env={"EMBEDMILL_WORKER_PORT":1}', /cpu\.env: EMBEDMILL_WORKER_PORT is set twice/],
    ['api.extraEnv=[{"name":"EMBEDMILL_API_PORT","value":"1"}]', /EMBEDMILL_API_PORT is set twice/],
    ['config={"REDIS_URL":"redis://elsewhere"}', /config: the chart sets REDIS_URL/],
    [
      'workerPools={"a":{"autoscaling":{"kind":"hpa"}},"b":{"autoscaling":{"kind":"keda"}}}',
      /workerPools\.a: .*is hpa, but that of b is keda; .*use keda for all/,
    ],
    ['gateway={"enabled":true}', /the Gateway is missing/],
    ['ingress.host="a..b"', /\/ingress\/host.*does not match pattern/],
    ['spool.volume.size="0Gi"', /\/spool\/volume\/size.*does not match pattern/],
    ['images.api="embedmill/api:1"', /\/images\/api.*does not match pattern/],
    ['paths=["/a//b"]', /\/paths\/0.*does not match pattern/],
    ['podSecurityContext.seccompProfile={"type":"Localhost"}', /localhostProfile/],
    ['api.podLabels={"team":"a b"}', /\/api\/podLabels\/team.*does not match pattern/],
    [
      'api.podLabels={"app.kubernetes.io/name":"b"}',
      /api\.podLabels: the chart sets app\.kubernetes\.io\/name/,
    ],
    ['workerPools.cpu.tolerations=[{"operator":"Exist"}]', /\/operator.*must be one of 'Exists', 'Equal'/],
    ['workerPools.cpu.resources={"requests":{"memroy":"1Gi"}}', /invalid propertyName 'memroy'/],
    ['workerPools.cpu.resources={"requests":{"memory":"4097Mi"}}', /4097Mi of memory .* its limit 4Gi/],
    ['api.resources={"requests":{"cpu":1.5},"limits":{"cpu":"1400m"}}', /1\.5 of cpu .* its limit 1400m/],
    ['workerPools.cpu.rollout={"maxSurge":"0%"}', /maxSurge and rollout\.maxUnavailable are both 0/],
    ['workerPools.cpu.rollout={"maxUnavailable":"101%"}', /\/maxUnavailable.*does not match pattern/],
    ['api.extraVolumes=[{"name":"data","emptyDir":{}}]', /already a volume data/],
    ['api.extraVolumeMounts=[{"name":"x","mountPath":"/x"}]', /there is no volume x/],
    ['api.extraVolumeMounts=[{"name":"data","mountPath":"/tmp"}]', /already a volume at \/tmp/],
    ['api.extraEnv=[{"value":"1"}]', /\/api\/extraEnv\/0.*missing property 'name'/],
    [
      'secret={"existing":"","values":{"REDIS_URL":"redis://:a@elsewhere"}}',
      /secret\.values: REDIS_URL is also set/,
    ],
    [
      'secret={"existing":"","values":{"MILVUS_URL":"http://elsewhere"}}',
      /secret\.values: MILVUS_URL is also set/,
    ],
    ['queue.url=""', /networkPolicy\.egress\.queue\.ports: .*set its ports/],
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

  test('KEDA can read the backlog of one model from the API, without Prometheus', async () => {
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

  test('the commands of deploy/README.md name existing files, and they render', async () => {
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

  test('with Milvus, pods get its address and CA instead of Qdrant’s, and may reach its port', async () => {
    const manifests = parseManifests(await helmTemplate(CASES.milvus));
    const config = manifests.find(({ kind }) => kind === 'ConfigMap')!['data'] as Record<string, string>;
    expect(config).toMatchObject({
      MILVUS_URL: 'https://milvus.data.svc:19530',
      MILVUS_DATABASE: 'embedmill',
      MILVUS_TLS_CA: '/etc/embedmill/ca/ca.crt',
    });
    expect(Object.keys(config).filter((name) => name.includes('QDRANT'))).toEqual([]);
    for (const part of ['api', 'worker']) {
      const ports = (await reached(part, [], CASES.milvus)).flatMap(([, some]) => some);
      expect(ports).toContain(19530);
      expect(ports).not.toContain(6333);
    }
  });

  test('without a port in its address, Milvus’ default port is allowed', async () => {
    const sets = ['store={"kind":"milvus","url":"http://milvus.m.svc"}'];
    expect(await reached('worker', sets)).toContainEqual([namespace('m'), [19530]]);
  });

  test('the grace period follows the drain', async () => {
    const set = 'workerPools.cpu={"batchSeconds":300,"drainSeconds":400}';
    const worker = deploymentsOf(parseManifests(await helmTemplate(CPU, [set]))).at(-1)!;
    expect(worker.spec!.template.spec!.terminationGracePeriodSeconds).toBe(415);
  });

  test('a volume instead of a bucket, a Secret of the chart and dashboards fit their schemas', async () => {
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

/** The egress that a part's policy allows, except DNS and rules for any address: [peer, ports]. */
async function reached(
  part: string,
  sets: readonly string[],
  values: readonly string[] = CPU,
): Promise<[where: object, ports: number[]][]> {
  const manifests = parseManifests(await helmTemplate(values, sets));
  const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy');
  expect(policies.flatMap(faultsOf)).toEqual([]);
  const policy = policies.find(({ metadata }) => metadata.name === `embedmill-${part}`)!;
  const { egress } = policy['spec'] as { egress: { ports: { port: number }[]; to?: object[] }[] };
  return egress.flatMap(({ ports, to = [] }) =>
    to[0] !== undefined && to.length === 1 ? [[to[0], ports.map(({ port }) => port)]] : [],
  );
}
const sorted = (rules: readonly unknown[]) => rules.map((rule) => JSON.stringify(rule)).toSorted();
const namespace = (name: string): object => ({
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
});

describe.skipIf(!helm)(`egress of pods${skipped}`, () => {
  test('ports and namespaces follow from the addresses', async () => {
    const sets = [
      'queue.url="rediss://redis.queue.svc:6380"',
      'store.url="http://10.1.2.3:7333"',
      'spool.s3.endpoint="http://minio.storage.svc.cluster.local:9000"',
      'config={"EMBEDMILL_OTLP_URL":"http://collector:4318"}',
    ];
    expect(await reached('worker', sets)).toEqual([
      [namespace('queue'), [6380]],
      [{ ipBlock: { cidr: '10.1.2.3/32' } }, [7333]],
      [namespace('storage'), [9000]],
      [{ podSelector: {} }, [4318]],
    ]);
  });

  test.each([
    ['sentinels, and the master that they name', 'redis+sentinel://a.q.svc:26380,b.q.svc/m', [26380, 6379]],
    ['PostgreSQL', 'postgres://user:secret@db.q.svc/mill', [5432]],
    ['a Redis whose password is in a Secret of the chart', 'redis://:p%40ss@redis.q.svc', [6379]],
  ])('%s', async (_name, url, ports) => {
    const secret = `secret={"existing":"","values":{"QUEUE_URL":"${url}"}}`;
    const [first] = await reached('api', ['queue.url=""', secret]);
    expect(first).toEqual([namespace('q'), ports]);
  });

  test('addresses in a part’s settings are allowed, wherever they are set, and those of other parts are not', async () => {
    const sets = [
      'secret={"existing":"","values":{"EMBEDMILL_API_WEBHOOK_URL":"http://hooks.w.svc:8080/a"}}',
      'config={"EMBEDMILL_OTLP_URL":"http://collector.o.svc:4318"}',
      'workerPools.cpu.env={"EMBEDMILL_WORKER_REMOTE_URL":"http://tei.t.svc:8081"}',
      'workerPools.cpu.extraEnv=[{"name":"MILVUS_URL","value":"http://milvus.m.svc"}]',
      'api.env={"EMBEDMILL_API_OIDC_ISSUER":"https://login.l.svc:8443","EMBEDMILL_API_CORS_ORIGINS":"http://a:81,http://b:82"}',
      'api.extraEnv=[{"name":"QUEUE_URL","value":"postgres://mill:a@db.p.svc/mill"}]',
    ];
    const services = [
      [namespace('data'), [6379]],
      [namespace('data'), [6333]],
      [namespace('data'), [443]],
    ];
    const shared = [
      [namespace('w'), [8080]],
      [namespace('o'), [4318]],
    ];
    expect(sorted(await reached('worker', sets))).toEqual(
      sorted([...services, ...shared, [namespace('t'), [8081]], [namespace('m'), [19530]]]),
    );
    expect(sorted(await reached('api', sets))).toEqual(
      sorted([...services, ...shared, [namespace('l'), [8443]], [namespace('p'), [5432]]]),
    );
  });

  test('the Job that downloads models may reach the hub', async () => {
    const sets = ['models.download=["m"]', 'config={"EMBEDMILL_HUB_URL":"http://hub.h.svc:8088"}'];
    expect(await reached('models', sets)).toContainEqual([namespace('h'), [8088]]);
  });

  test('every rule has peers, and link-local addresses are excluded', async () => {
    const manifests = parseManifests(await helmTemplate(CPU));
    for (const { kind, spec } of manifests) {
      if (kind !== 'NetworkPolicy') continue;
      const [, ...others] = (spec as { egress: { to?: object[] }[] }).egress;
      for (const { to } of others) expect(to?.length).toBeGreaterThan(0);
      expect(JSON.stringify(others)).toContain('"except":["169.254.0.0/16"]');
    }
  });
});

describe.skipIf(!helm)(`options for platforms${skipped}`, () => {
  const workerOf = async (sets: readonly string[]) =>
    deploymentsOf(parseManifests(await helmTemplate(CPU, sets))).at(-1)!;

  test('machines that are reclaimed at short notice may have a short drain', async () => {
    const { spec } = await workerOf(['workerPools.cpu={"spot":true,"drainSeconds":15}']);
    expect(spec!.template.spec!.terminationGracePeriodSeconds).toBe(30);
  });

  test('a pool’s rollout can be configured', async () => {
    const { spec } = await workerOf(['workerPools.cpu.rollout={"maxSurge":"50%","maxUnavailable":2}']);
    expect(spec!.strategy!.rollingUpdate).toEqual({ maxSurge: '50%', maxUnavailable: 2 });
  });

  test.each(['api', 'workerPools.cpu'])(
    'a platform’s additions to %s go to its Deployment, its pods or its containers',
    async (part) => {
      const init = { name: 'proxy', image: 'mesh/init:1' };
      const manifests = parseManifests(
        await helmTemplate(CPU, [
          `${part}.annotations={"argocd.argoproj.io/sync-wave":"1"}`,
          `${part}.podAnnotations={"sidecar.istio.io/inject":"true"}`,
          `${part}.podLabels={"team":"search"}`,
          `${part}.initContainers=${JSON.stringify([init])}`,
          `${part}.revisionHistoryLimit=3`,
          `${part}.priorityClassName="batch"`,
          `${part}.extraVolumes=[{"name":"extra","emptyDir":{}}]`,
          `${part}.extraVolumeMounts=[{"name":"extra","mountPath":"/extra"}]`,
        ]),
      );
      expect(manifests.flatMap(faultsOf)).toEqual([]);
      const name = part === 'api' ? 'embedmill-api' : 'embedmill-worker-cpu';
      const deployments = deploymentsOf(manifests);
      const { metadata, spec } = deployments.find((one) => one.metadata!.name === name)!;
      expect(metadata!.annotations).toMatchObject({ 'argocd.argoproj.io/sync-wave': '1' });
      expect(spec!.revisionHistoryLimit).toBe(3);
      const { template } = spec!;
      expect(template.metadata!.annotations).toMatchObject({ 'sidecar.istio.io/inject': 'true' });
      expect(template.metadata!.labels).toMatchObject({ team: 'search' });
      expect(template.spec).toMatchObject({ initContainers: [init], priorityClassName: 'batch' });
      expect(template.spec!.volumes).toContainEqual({ name: 'extra', emptyDir: {} });
      const [container] = template.spec!.containers;
      expect(container!.volumeMounts).toContainEqual({ name: 'extra', mountPath: '/extra' });
      for (const other of deployments.filter((one) => one.metadata!.name !== name))
        expect(JSON.stringify(other)).not.toContain('mesh/init');
    },
  );

  test('a pool that stays warm for searches takes no shards, and its queries wake no other pool', async () => {
    const manifests = parseManifests(await helmTemplate(['cluster', 'h100', 'warm']));
    const warm = deploymentsOf(manifests).find((one) => one.metadata!.name === 'embedmill-worker-warm')!;
    expect(warm.spec!.replicas).toBe(1);
    const { env } = warm.spec!.template.spec!.containers[0]!;
    expect(env).toContainEqual({ name: 'EMBEDMILL_WORKER_SHARDS', value: '0' });
    expect(scalersOf(manifests)).toEqual(['ScaledObject/embedmill-worker-h100']);
    const scaler = manifests.find(({ kind }) => kind === 'ScaledObject')!;
    const { minReplicaCount, triggers } = scaler['spec'] as {
      minReplicaCount: number;
      triggers: { metadata: { activationThreshold: string } }[];
    };
    expect([minReplicaCount, triggers[0]!.metadata.activationThreshold]).toEqual([0, '1000']);
  });

  test('user and group ids can be left to OpenShift', async () => {
    const none = '{"runAsUser":null,"runAsGroup":null,"fsGroup":null}';
    const { spec } = await workerOf([`podSecurityContext=${none}`]);
    const { securityContext } = spec!.template.spec!;
    expect(securityContext).toMatchObject({ runAsNonRoot: true });
    expect(Object.keys(securityContext!)).not.toEqual(expect.arrayContaining(['runAsUser']));
  });

  test('models are downloaded once, into a claim that all pods mount', async () => {
    const manifests = parseManifests(await helmTemplate(CPU, ['models.download=["bge-base-en-v1.5"]']));
    expect(manifests.flatMap(faultsOf)).toEqual([]);
    const job = manifests.find(({ kind }) => kind === 'Job')!;
    const { template } = job['spec'] as { template: { spec: { volumes: object[]; containers: object[] } } };
    expect(template.spec.containers).toMatchObject([
      { command: ['node', 'apps/worker/dist/models.js', 'download'], args: ['bge-base-en-v1.5'] },
    ]);
    const claim = { name: 'models', persistentVolumeClaim: { claimName: 'embedmill-models' } };
    expect(template.spec.volumes).toContainEqual(claim);
    for (const { spec } of deploymentsOf(manifests))
      expect(spec!.template.spec!.volumes).toContainEqual(claim);
    const claims = manifests.filter(({ kind }) => kind === 'PersistentVolumeClaim');
    expect(claims.map(({ metadata }) => metadata.name)).toEqual(['embedmill-models']);
  });

  test('a route of the Gateway API has the paths of the ingress, eight to a rule', async () => {
    const manifests = parseManifests(
      await helmTemplate(CPU, [
        'gateway={"enabled":true,"parentRefs":[{"name":"public"}],"hostnames":["embed.example.com"]}',
      ]),
    );
    const route = manifests.find(({ kind }) => kind === 'HTTPRoute')!;
    expect(faultsOf(route)).toEqual([]);
    const { rules } = route['spec'] as { rules: { matches: { path: { value: string } }[] }[] };
    const { paths } = parse(await readFile(join(CHART, 'values.yaml'), 'utf8')) as { paths: string[] };
    expect(rules.flatMap(({ matches }) => matches.map(({ path }) => path.value))).toEqual(paths);
    for (const { matches } of rules) expect(matches.length).toBeLessThanOrEqual(8);
  });

  test('helm test checks that the API is ready', async () => {
    const [pod] = parseManifests(await helmTemplateOf('tests/ready.yaml', CPU));
    expect(faultsOf(pod!)).toEqual([]);
    expect(JSON.stringify(pod)).toContain('http://embedmill-api:7070/readyz');
  });
});

describe.skipIf(!helm)(`the stack with its own Redis and Qdrant${skipped}`, () => {
  test('its parts find one another on one node, keep their data, and can each be left out', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'embedmill-stack-'));
    try {
      await cp(STACK, folder, { recursive: true });
      await cp(CHART, join(folder, 'charts/embedmill'), { recursive: true });
      const render = async (sets: string[]): Promise<Manifest[]> =>
        parseManifests(await helmTemplate([], sets, folder));
      const named = (manifests: readonly Manifest[], kind: string): string[] =>
        manifests.filter((one) => one.kind === kind).map(({ metadata }) => metadata.name);
      const whole = await render([]);
      expect(whole.flatMap(faultsOf)).toEqual([]);
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
      const spool = whole.find(({ kind }) => kind === 'PersistentVolumeClaim')!;
      expect(spool['spec']).toMatchObject({ accessModes: ['ReadWriteOnce'] });
      const parts = whole.filter(({ kind }) => kind === 'StatefulSet');
      expect(parts).toHaveLength(2);
      for (const part of parts) {
        const { spec } = part as { spec?: { template: { spec: object }; volumeClaimTemplates: object[] } };
        expect(spec!.volumeClaimTemplates).toHaveLength(1);
        expect(spec!.template.spec).toMatchObject({
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [
            { securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } },
          ],
        });
      }
      expect(JSON.stringify(parts)).toContain('"--appendonly","yes","--maxmemory-policy","noeviction"');
      expect(named(await render(['redis.enabled=false', 'qdrant.enabled=false']), 'StatefulSet')).toEqual([]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
