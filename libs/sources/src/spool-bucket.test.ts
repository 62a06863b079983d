import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { JobId } from '@embedmill/jobs';
import { S3Objects } from './s3-objects.ts';
import { spoolConformance, type SpoolPlace } from './spool-conformance.ts';
import { Spool } from './spool.ts';
import { TestS3 } from './test-s3.ts';

afterEach(() => vi.unstubAllEnvs());

function clientOf(server: Pick<TestS3, 'environment'>): S3Objects {
  for (const [name, value] of Object.entries(server.environment)) vi.stubEnv(name, value);
  return new S3Objects({ pathStyle: true });
}

let spools = 0;
async function bucketPlace(
  server: Pick<TestS3, 'url' | 'bucket' | 'environment' | 'stop'>,
): Promise<SpoolPlace> {
  const s3 = clientOf(server);
  await s3.probe({ bucket: server.bucket, key: '' });
  const sdk = new S3Client({
    endpoint: server.url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
  });
  let prefix = '';
  const at = (key: string) => ({ bucket: server.bucket, key: `${prefix}${key}` });
  return {
    async open() {
      prefix = `spool-${process.pid}-${(spools += 1)}/`;
      return Spool.open(`s3://${server.bucket}/${prefix}`, s3);
    },
    keys: async () => (await Array.fromAsync(s3.list(at('')))).map(({ key }) => key.slice(prefix.length)),
    async abandonUpload(job) {
      const { bucket, key } = at(`${job}/source-x.ndjson`);
      const target = { Bucket: bucket, Key: key };
      const { UploadId } = await sdk.send(new CreateMultipartUploadCommand(target));
      await sdk.send(
        new UploadPartCommand({ ...target, UploadId, PartNumber: 1, Body: Buffer.from('half') }),
      );
    },
    async unfinished() {
      const { bucket, key } = at('');
      const found = await sdk.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: key }));
      return found.Uploads?.length ?? 0;
    },
    close: () => server.stop(),
  };
}

describe('on the server that tests start', () => {
  spoolConformance(async () => bucketPlace(await TestS3.start()));
});

/**
 * Another S3 server to run the same tests against, with a bucket "mill" that accepts any credentials: another emulator,
 * or MinIO.
 */
const other = process.env['TEST_S3_URL'];
describe.skipIf(other === undefined)(
  `on the S3 at TEST_S3_URL${other === undefined ? ' (skipped: no TEST_S3_URL)' : ''}`,
  () => {
    const url = other ?? '';
    const environment = {
      AWS_ENDPOINT_URL_S3: url,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'S3RVER',
      AWS_SECRET_ACCESS_KEY: 'S3RVER',
    };
    spoolConformance(async () => bucketPlace({ url, bucket: 'mill', environment, stop: async () => {} }));
  },
);

async function* once(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

const textOf = async (bytes: AsyncIterable<Uint8Array>) =>
  Buffer.concat(await Array.fromAsync(bytes)).toString();

test('an object that changed while its job ran is refused, and one that is gone', async () => {
  const server = await TestS3.start();
  try {
    const spool = await Spool.open(`s3://${server.bucket}/spool`, clientOf(server));
    const location = { bucket: server.bucket, key: 'in/data.ndjson' };
    await spool.s3.write(location, once('one\ntwo\n'));
    const source = {
      kind: 's3',
      uri: `s3://${server.bucket}/in/data.ndjson`,
      ...(await spool.s3.head(location)),
    } as const;
    expect(await textOf(spool.readSource(source, 4, 3))).toBe('two');
    expect(spool.holds(source)).toBe(false);
    await spool.s3.write(location, once('other\ntwo\n'));
    await expect(textOf(spool.readSource(source, 0, 3))).rejects.toMatchObject({ code: 'source_changed' });
    await spool.s3.remove(location);
    await expect(textOf(spool.readSource(source, 0, 3))).rejects.toMatchObject({ code: 'source_unreadable' });
  } finally {
    await server.stop();
  }
});

test('while the server is away, everything fails as what may pass, and goes on when it is back', async () => {
  const server = await TestS3.start();
  try {
    const job = 'job_1' as JobId;
    const spool = await Spool.open(`s3://${server.bucket}/spool`, clientOf(server));
    const { source } = await spool.receive(job, once('one\n'), { maxBytes: 100 });
    await server.kill();
    await expect(textOf(spool.readSource(source))).rejects.toMatchObject({
      code: 'source_unavailable',
      retryable: true,
    });
    const receiving = spool.receive(job, once('two\n'), { maxBytes: 100 });
    await expect(receiving).rejects.toMatchObject({ code: 'spool_unavailable', retryable: true });
    const reading = textOf(spool.readReports(job, 'failures'));
    await expect(reading).rejects.toMatchObject({ code: 'spool_unavailable' });
    await server.run();
    expect(await textOf(spool.readSource(source))).toBe('one\n');
  } finally {
    await server.stop();
  }
});

test('a bucket that is not there, and a region that is not set, are named at the start', async () => {
  const server = await TestS3.start();
  try {
    await expect(Spool.open('s3://nowhere/spool', clientOf(server))).rejects.toMatchObject({
      code: 'spool_unavailable',
      message: expect.stringContaining('no such bucket'),
    });
    vi.stubEnv('AWS_REGION', undefined);
    vi.stubEnv('AWS_CONFIG_FILE', '/dev/null');
    await expect(Spool.open(`s3://${server.bucket}`, new S3Objects())).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringContaining('AWS_REGION'),
    });
  } finally {
    await server.stop();
  }
});
