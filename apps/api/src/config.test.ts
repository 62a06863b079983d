import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readConfig, settingsSchema } from './config.ts';

test('nothing set gives the documented defaults', () => {
  expect(readConfig({})).toMatchObject({
    queue: { redisUrl: 'redis://127.0.0.1:6379' },
    qdrantUrl: undefined,
    host: '127.0.0.1',
    port: 7070,
    sourceFolder: undefined,
    maxUploadBytes: 64 * 1024 ** 3,
    logLevel: 'info',
    spool: join(process.cwd(), '.embedmill', 'spool'),
  });
});

test('what is set is read, and other apps’ variables are passed over', () => {
  const config = readConfig({
    EMBEDMILL_DATA_DIR: '/data',
    EMBEDMILL_API_PORT: '0',
    EMBEDMILL_API_SOURCE_DIR: '',
    PATH: '/bin',
    EMBEDMILL_WORKER_THREADS: '2',
    EMBEDMILL_URL: 'http://x',
    EMBEDMILL_SHARED: '/s',
    EMBEDMILL_API_LOCK_SECONDS: '2',
  });
  expect(config).toMatchObject({ port: 0, storeSocket: '/data/store.sock', sourceFolder: undefined });
  expect(config.dispatcher.lockMs).toBe(2000);
});

test('the queue is PostgreSQL where QUEUE_URL says so, and else Redis', () => {
  const postgres = { QUEUE_URL: 'postgres://h/db', REDIS_URL: 'redis://h' };
  expect(readConfig(postgres).queue).toEqual({ postgresUrl: 'postgres://h/db' });
  expect(readConfig({ QUEUE_URL: 'rediss://h', REDIS_TLS_CA: '/ca.pem' }).queue).toMatchObject({
    redisUrl: 'rediss://h',
    redisTlsCa: '/ca.pem',
  });
});

test('a spool in a bucket takes the place of the folder, and buckets to read are listed', () => {
  const config = readConfig({
    EMBEDMILL_SPOOL_URL: 's3://mill/spool',
    EMBEDMILL_S3_PATH_STYLE: 'true',
    AWS_REGION: 'x',
    EMBEDMILL_API_S3_SOURCES: 's3://a/in, s3://b',
  });
  expect(config).toMatchObject({ spool: 's3://mill/spool', s3: { pathStyle: true } });
  expect(config.s3Sources).toEqual(['s3://a/in', 's3://b']);
});

test.each([
  [{ EMBEDMILL_API_PORT: '70707' }, 'EMBEDMILL_API_PORT'],
  [{ EMBEDMILL_API_PORT: 'http' }, 'EMBEDMILL_API_PORT'],
  [{ EMBEDMILL_API_PROT: '7070' }, 'EMBEDMILL_API_PROT'],
  [{ EMBEDMILL_DATADIR: '/data' }, 'EMBEDMILL_DATADIR'],
  [{ EMBEDMILL_LOG_LEVEL: 'loud' }, 'EMBEDMILL_LOG_LEVEL'],
  [{ QDRANT_URL: 'localhost' }, 'QDRANT_URL'],
  [{ MILVUS_URL: 'localhost' }, 'MILVUS_URL'],
  [{ MILVUS_URL: 'http://m', QDRANT_URL: 'http://q' }, 'QDRANT_URL'],
  [{ EMBEDMILL_API_HOST: '0.0.0.0' }, 'EMBEDMILL_API_HOST'],
  [{ EMBEDMILL_API_HOST: '::' }, 'EMBEDMILL_API_HOST'],
  [{ EMBEDMILL_API_HOST: 'localhost.example.com' }, 'EMBEDMILL_API_HOST'],
  [{ EMBEDMILL_API_HOST: '10.0.0.1', EMBEDMILL_API_METRICS_KEY: 'x'.repeat(16) }, 'EMBEDMILL_API_HOST'],
  [{ EMBEDMILL_API_INSECURE: 'yes' }, 'EMBEDMILL_API_INSECURE'],
  [{ EMBEDMILL_API_METRICS_KEY: 'short' }, 'EMBEDMILL_API_METRICS_KEY'],
  [{ EMBEDMILL_API_OIDC_ISSUER: 'https://id.example.com' }, 'EMBEDMILL_API_OIDC_AUDIENCE'],
  [
    { EMBEDMILL_API_OIDC_ISSUER: 'http://id.example.com', EMBEDMILL_API_OIDC_AUDIENCE: 'embedmill' },
    'EMBEDMILL_API_OIDC_ISSUER',
  ],
  [{ EMBEDMILL_SPOOL_URL: 'https://bucket/spool' }, 'EMBEDMILL_SPOOL_URL'],
  [{ EMBEDMILL_S3_PATH_STYLE: 'perhaps' }, 'EMBEDMILL_S3_PATH_STYLE'],
  [{ EMBEDMILL_API_S3_SOURCES: 's3://a/in, b/in' }, 'EMBEDMILL_API_S3_SOURCES'],
])('%o is refused by its name', (environment, name) => {
  expect(() => readConfig(environment)).toThrow(
    expect.objectContaining({ code: 'invalid_config', details: [expect.objectContaining({ path: name })] }),
  );
});

test('beyond this machine it listens with keys, with tokens, or when it is told that this is meant', () => {
  for (const environment of [
    { EMBEDMILL_API_KEYS_FILE: 'keys.json' },
    { EMBEDMILL_API_INSECURE: 'true' },
    { EMBEDMILL_API_OIDC_ISSUER: 'https://id.example.com', EMBEDMILL_API_OIDC_AUDIENCE: 'embedmill' },
  ])
    expect(readConfig({ EMBEDMILL_API_HOST: '0.0.0.0', ...environment }).host).toBe('0.0.0.0');
  for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost'])
    expect(readConfig({ EMBEDMILL_API_HOST: host }).access.keysFile).toBeUndefined();
});

test('every setting is described, and documented for operators', () => {
  const documentation = readFileSync(new URL('../../../docs/settings.md', import.meta.url), 'utf8');
  for (const [name, field] of Object.entries(settingsSchema.shape)) {
    expect(field.description, name).toBeTruthy();
    expect(documentation.includes(`\`${name}\``), `${name} is in docs/settings.md`).toBe(true);
  }
});
