import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import S3rver from '@20minutes/s3rver';

/**
 * A process with an S3 server: `node s3-server.fixture.ts FOLDER PORT`. s3rver keeps everything in the folder, so it
 * can be killed and restarted. This adds the parts of the S3 API that we use and s3rver lacks, on top of its files:
 * listing multipart uploads and their parts, aborting them, and If-Match in GetObject.
 */
const [folder = '', port = '0'] = process.argv.slice(2);
export const TEST_BUCKET = 'mill';
const UPLOADS = '._S3rver_uploads';

interface Context {
  method: string;
  path: string;
  query: Record<string, string | undefined>;
  headers: Record<string, string | undefined>;
  status: number;
  type: string;
  body: unknown;
}

const server = new S3rver({
  address: '127.0.0.1',
  port: Number(port),
  silent: true,
  directory: folder,
  // Its canonical request for a listing differs from what the SDK signs.
  allowMismatchedSignatures: true,
  configureBuckets: [{ name: TEST_BUCKET }],
});
server.middleware.unshift(async (context: Context, next: () => Promise<void>) => {
  const [, bucket = '', ...rest] = decodeURIComponent(context.path).split('/');
  const key = rest.join('/');
  const { uploadId } = context.query;
  if (context.method === 'GET' && key === '' && 'uploads' in context.query) {
    return answer(
      context,
      'ListMultipartUploadsResult',
      await uploadsOf(bucket, context.query['prefix'] ?? ''),
    );
  }
  if (context.method === 'GET' && uploadId !== undefined) {
    return answer(context, 'ListPartsResult', await partsOf(join(folder, bucket, UPLOADS, uploadId)));
  }
  if (context.method === 'DELETE' && uploadId !== undefined) {
    await rm(join(folder, bucket, UPLOADS, uploadId), { recursive: true, force: true });
    context.status = 204;
    return;
  }
  const wanted = context.headers['if-match'];
  if (context.method === 'GET' && wanted !== undefined) {
    const md5 = await readFile(join(folder, bucket, `${key}._S3rver_object.md5`), 'utf8').catch(
      () => undefined,
    );
    if (md5 !== undefined && wanted !== `"${md5.trim()}"`) {
      context.status = 412;
      return answer(context, 'Error', '<Code>PreconditionFailed</Code><Message>If-Match</Message>');
    }
  }
  await next();
});

function answer(context: Context, root: string, inner: string): void {
  if (context.status === 404) context.status = 200;
  context.type = 'application/xml';
  context.body = `<?xml version="1.0" encoding="UTF-8"?>\n<${root}>${inner}<IsTruncated>false</IsTruncated></${root}>`;
}

async function uploadsOf(bucket: string, prefix: string): Promise<string> {
  const uploads = join(folder, bucket, UPLOADS);
  const ids = await readdir(uploads).catch(() => []);
  const entries = ids.map(async (id) => {
    const key = await readFile(join(uploads, id, 'key'), 'utf8');
    const { mtime } = await stat(join(uploads, id, 'key'));
    if (!key.startsWith(prefix)) return '';
    return `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${mtime.toISOString()}</Initiated></Upload>`;
  });
  return (await Promise.all(entries)).join('');
}

async function partsOf(upload: string): Promise<string> {
  const numbers = (await readdir(upload)).filter((name) => /^\d+$/.test(name)).map(Number);
  const parts = numbers
    .toSorted((a, b) => a - b)
    .map(async (number) => {
      const { mtime, size } = await stat(join(upload, String(number)));
      return `<Part><PartNumber>${number}</PartNumber><LastModified>${mtime.toISOString()}</LastModified><Size>${size}</Size></Part>`;
    });
  return (await Promise.all(parts)).join('');
}

await mkdir(folder, { recursive: true });
const { port: listening } = await server.run();
process.send?.({ port: listening });
process.on('disconnect', () => process.exit(0));
