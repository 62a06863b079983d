import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * For tests: a fake of the hub, on loopback, that serves files from memory with ranges and ETags, and lists them as the
 * real one does (https://huggingface.co/docs/hub/api): files of a megabyte or more with their sha256.
 */
export interface FakeHub {
  url: string;
  /** The requests in order: path and relevant headers. */
  requests: { path: string; range: string | undefined; authorization: string | undefined }[];
  /** Answers the next requests, one each, instead of the files; `undefined` serves the file. */
  next: (RequestListener | undefined)[];
  close(): Promise<void>;
}

export const REVISION = '0123456789abcdef0123456789abcdef01234567';
export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export async function startFakeHub(files: Record<string, Uint8Array>, linked = true): Promise<FakeHub> {
  const requests: FakeHub['requests'] = [];
  const next: FakeHub['next'] = [];
  const server = createServer((request, response) => {
    const { range, authorization } = request.headers;
    requests.push({ path: request.url ?? '', range, authorization });
    const scripted = next.shift();
    if (scripted !== undefined) scripted(request, response);
    else serve(files, linked, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    next,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function serve(
  files: Record<string, Uint8Array>,
  linked: boolean,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (/^\/api\/models\/[^/]+\/[^/]+\/tree\/[0-9a-f]{40}\?recursive=true$/.test(request.url ?? '')) {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(treeOf(files)));
    return;
  }
  if (/^\/api\/models\/[^/]+\/[^/]+\/revision\/(main|v1)$/.test(request.url ?? '')) {
    const told = { sha: REVISION, tags: ['sentence-transformers', 'license:mit'] };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(told));
    return;
  }
  const path = (request.url ?? '').split('/resolve/')[1]?.split('/').slice(1).join('/') ?? '';
  const bytes = files[path];
  if (bytes === undefined) {
    response.writeHead(404).end();
    return;
  }
  const etag = `"${sha256(bytes)}"`;
  const headers = { etag, ...(linked ? { 'x-linked-etag': etag } : {}) };
  const { range, 'if-range': ifRange } = request.headers;
  const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
  if (from > 0 && (ifRange === undefined || ifRange === etag)) {
    const rest = bytes.subarray(from);
    const contentRange = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
    response.writeHead(206, { ...headers, 'content-length': rest.length, 'content-range': contentRange });
    response.end(rest);
    return;
  }
  response.writeHead(200, { ...headers, 'content-length': bytes.length }).end(bytes);
}

function treeOf(files: Record<string, Uint8Array>): object[] {
  const folders = new Set(Object.keys(files).flatMap((path) => path.split('/').slice(0, -1)));
  return [
    ...[...folders].map((path) => ({ type: 'directory', oid: 'f'.repeat(40), size: 0, path })),
    ...Object.entries(files).map(([path, bytes]) => ({
      type: 'file',
      oid: 'f'.repeat(40),
      size: bytes.length,
      path,
      ...(bytes.length < 1_000_000
        ? {}
        : { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 134 } }),
    })),
  ];
}
