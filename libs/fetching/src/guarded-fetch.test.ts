import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { GuardedFetch, type FetchRequest, type GuardedFetchOptions } from './guarded-fetch.ts';

const opened: { close: () => unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

const codes = {
  forbidden: 'image_forbidden',
  unreadable: 'image_unreadable',
  tooLarge: 'image_too_large',
  unavailable: 'image_unavailable',
} as const;
const asked: FetchRequest = { codes, maxBytes: 1000, totalSeconds: 20 };

function guarded(options: GuardedFetchOptions = { allow: ['127.0.0.1'] }): GuardedFetch {
  const fetch = new GuardedFetch(options);
  opened.push(fetch);
  return fetch;
}

/** A server on this machine; `requests` counts what reaches it. */
async function serve(
  listener: RequestListener,
): Promise<{ port: number; url: string; requests: () => number }> {
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    listener(request, response);
  });
  return { ...(await listen(server)), requests: () => requests };
}

/** Like `serve`, over TLS with a certificate that this process trusts; undefined if openssl is missing. */
async function serveTls(listener: RequestListener) {
  const folder = await mkdtemp(join(tmpdir(), 'embedmill-tls-'));
  opened.push({ close: () => rm(folder, { recursive: true, force: true }) });
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
  ]);
  if (made.error !== undefined) return undefined;
  const trusted = getCACertificates('default');
  opened.push({ close: () => setDefaultCACertificates(trusted) });
  const pem = await readFile(cert, 'utf8');
  setDefaultCACertificates([...trusted, pem]);
  let requests = 0;
  const server = createTlsServer({ key: await readFile(key), cert: pem }, (request, response) => {
    requests += 1;
    listener(request, response);
  });
  const { port } = await listen(server as unknown as Server);
  return { url: `https://127.0.0.1:${port}/`, requests: () => requests };
}

async function listen(server: Pick<Server, 'listen' | 'once' | 'address' | 'close'>) {
  server.listen(0);
  await once(server as Server, 'listening');
  opened.push({
    close: () => {
      if ('closeAllConnections' in server) (server as Server).closeAllConnections();
      server.close();
    },
  });
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}/` };
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    (error: { code?: string }) => error.code ?? String(error),
  );

describe('what is fetched', () => {
  it('is complete, with its type and final URL', async () => {
    const { url } = await serve((request, response) => {
      if (request.url === '/') return response.writeHead(302, { location: '/there?a=1' }).end();
      response.writeHead(200, { 'content-type': 'image/png', 'content-length': 3 }).end('abc');
    });
    const fetch = guarded();
    const { body, ...rest } = await fetch.open(url, asked);
    expect(rest).toEqual({ url: `${url}there?a=1`, contentType: 'image/png', expectedBytes: 3 });
    expect(Buffer.concat(await Array.fromAsync(body)).toString()).toBe('abc');
    expect(Buffer.from(await fetch.bytes(url, asked)).toString()).toBe('abc');
  });

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
  ])('is decoded from %s', async (encoding, compress) => {
    const { url } = await serve((_request, response) =>
      response.writeHead(200, { 'content-encoding': encoding }).end(compress('hello')),
    );
    const { body, expectedBytes } = await guarded().open(url, asked);
    expect(expectedBytes).toBeUndefined();
    expect(Buffer.concat(await Array.fromAsync(body)).toString()).toBe('hello');
  });
});

describe('addresses that are not public', () => {
  it.each([
    'localhost',
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '0177.0.0.1',
    '①②⑦.0.0.1',
    '127。0。0。1',
    '%31%32%37.0.0.1',
    '00000177.0.0.1',
    '0x7f.0x0.0x0.0x1',
    '017700000001',
    '[0:0:0:0:0:ffff:127.0.0.1]',
    '[::127.0.0.1]',
    '0',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
  ])('are not connected to: %s', async (host) => {
    const { port, requests } = await serve((_request, response) => response.end('secret'));
    expect(await codeOf(guarded({}).bytes(`http://${host}:${port}/`, asked))).toBe('image_forbidden');
    expect(requests()).toBe(0);
  });

  it.each([
    'http://169.254.169.254/latest/meta-data/',
    'http://[fd00:ec2::254]/latest/meta-data/',
    'http://metadata.example/computeMetadata/v1/',
    'http://127.0.0.2/',
    'http://localhost:6379/',
    'file:///etc/passwd',
    'ftp://127.0.0.1/',
    'data:text/plain,hello',
    'http://user:secret@127.0.0.1/',
  ])('are not reached by a redirect: %s', async (location) => {
    const { url } = await serve((_request, response) => response.writeHead(307, { location }).end());
    const resolve = async (name: string) => [name === 'metadata.example' ? '169.254.169.254' : '::1'];
    const fetch = guarded({ allow: ['127.0.0.1'], resolve });
    expect(await codeOf(fetch.bytes(url, asked))).toBe('image_forbidden');
  });

  it('are not reached by a name whose addresses change', async () => {
    const { port, requests } = await serve((_request, response) =>
      response.writeHead(200, { connection: 'close' }).end('x'),
    );
    const answers = [['127.0.0.1'], ['127.0.0.2'], ['::1']];
    const resolved: string[] = [];
    const resolve = async (name: string) => {
      resolved.push(name);
      return answers.shift() ?? [];
    };
    const fetch = guarded({ allow: ['127.0.0.1'], resolve });
    const url = `http://rebinding.example:${port}/`;
    expect(await codeOf(fetch.bytes(url, asked))).toBe('ok');
    // Resolved once for a connection, so the address that was checked is the one that was used.
    expect(resolved).toEqual(['rebinding.example']);
    expect(await codeOf(fetch.bytes(url, asked))).toBe('image_forbidden');
    expect(await codeOf(fetch.bytes(url, asked))).toBe('image_forbidden');
    expect(requests()).toBe(1);
  });

  it('are left out where a name has others', async () => {
    const { port, requests } = await serve((_request, response) => response.end('x'));
    const fetch = guarded({ allow: ['127.0.0.1'], resolve: async () => ['127.0.0.2', '::1', '127.0.0.1'] });
    expect(await codeOf(fetch.bytes(`http://both.example:${port}/`, asked))).toBe('ok');
    expect(requests()).toBe(1);
  });

  it('are reached where the host is allowed by name', async () => {
    const { port } = await serve((_request, response) => response.end('x'));
    const resolve = async () => ['127.0.0.1'];
    const fetch = guarded({ allow: ['images.internal'], resolve });
    expect(await codeOf(fetch.bytes(`http://images.internal:${port}/`, asked))).toBe('ok');
    expect(await codeOf(fetch.bytes(`http://other.internal:${port}/`, asked))).toBe('image_forbidden');
  });
});

describe('a redirect', () => {
  it('from https leads to no http', async ({ skip }) => {
    const http = await serve((_request, response) => response.end('x'));
    const location = http.url;
    const https = await serveTls((_request, response) => response.writeHead(302, { location }).end());
    if (https === undefined) return skip('no openssl here');
    expect(await codeOf(guarded().bytes(`${https.url}moved`, asked))).toBe('image_forbidden');
    expect(https.requests()).toBe(1);
    expect(http.requests()).toBe(0);
  });

  it('gets no cookies, no credentials and nothing of the address that it came from', async () => {
    const seen: Record<string, unknown>[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers);
      response.end('x');
    });
    const { url } = await serve((_request, response) =>
      response.writeHead(302, { location: other.url, 'set-cookie': 'session=secret' }).end(),
    );
    expect(await codeOf(guarded().bytes(`${url}?token=secret`, asked))).toBe('ok');
    expect(Object.keys(seen[0]!).toSorted()).toEqual([
      ...['accept', 'accept-encoding', 'connection', 'host', 'user-agent'],
    ]);
    expect(JSON.stringify(seen)).not.toContain('secret');
  });
});

describe('a hostile server', () => {
  it('cannot redirect without end', async () => {
    const { url, requests } = await serve((_request, response) =>
      response.writeHead(302, { location: `/${requests()}` }).end(),
    );
    expect(await codeOf(guarded().bytes(url, asked))).toBe('image_unreadable');
    expect(requests()).toBe(6);
  });

  it('cannot send more than is taken, whatever it says', async () => {
    const big = Buffer.alloc(5000);
    const { url } = await serve((request, response) => {
      if (request.url === '/said') return response.writeHead(200, { 'content-length': 5000 }).end(big);
      response.write(big);
      const more = (): void => {
        while (!response.destroyed && response.write(big));
      };
      response.on('drain', more);
      more();
    });
    expect(await codeOf(guarded().bytes(`${url}said`, asked))).toBe('image_too_large');
    expect(await codeOf(guarded().bytes(`${url}endless`, asked))).toBe('image_too_large');
  });

  it.each([
    ['less than it sends', 2, 'ok'],
    ['more than it sends', 900, 'image_unavailable'],
  ])('may say %s: what comes is not what it is taken for', async (_what, length, code) => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n${'x'.repeat(500)}`);
      });
    });
    const { url } = await listen(server as unknown as Server);
    const bytes = guarded().bytes(url, asked);
    expect(await codeOf(bytes)).toBe(code);
    if (code === 'ok') expect(await bytes).toHaveLength(length);
  });

  it('cannot expand a few bytes to many', async () => {
    const bomb = gzipSync(Buffer.alloc(500_000_000));
    const { url } = await serve((_request, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': bomb.length }).end(bomb),
    );
    const before = process.memoryUsage().rss;
    expect(await codeOf(guarded().bytes(url, { ...asked, maxBytes: 1_000_000 }))).toBe('image_too_large');
    expect(process.memoryUsage().rss - before).toBeLessThan(250_000_000);
  });

  it.each([
    ['gzip', 'not gzip at all'],
    ['br', 'not brotli at all, really'],
    ['zstd', 'not zstd at all'],
    ['deflate', 'not deflate at all'],
    ['constructor', 'x'],
    ['gzip, gzip', 'x'],
  ])('that says %s and sends something else is told', async (encoding, body) => {
    const { url } = await serve((_request, response) =>
      response.writeHead(200, { 'content-encoding': encoding }).end(body),
    );
    expect(await codeOf(guarded().bytes(url, asked))).toBe('image_unreadable');
  });

  it('cannot keep the connection by sending an occasional byte', async () => {
    const { url } = await serve((_request, response) => {
      const drip = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(drip));
    });
    // The server would never end.
    expect(await codeOf(guarded().bytes(url, { ...asked, totalSeconds: 0.3 }))).toBe('image_unavailable');
  });

  it('cannot keep the connection by sending nothing', async () => {
    const { url } = await serve((request, response) => {
      if (request.url === '/body') response.write('x');
    });
    const fetch = guarded({ allow: ['127.0.0.1'], idleSeconds: 0.5 });
    expect(await codeOf(fetch.bytes(url, asked))).toBe('image_unavailable');
    expect(await codeOf(fetch.bytes(`${url}body`, asked))).toBe('image_unavailable');
  });

  it.each([
    ['a byte', {}, 'x'],
    // An empty stored block (RFC 1951, 3.2.4) after gzip's header: bytes that decode to nothing.
    ['bytes of no content', { 'content-encoding': 'gzip' }, Buffer.from('000000ffff', 'hex')],
  ])('cannot hold on to a job by sending %s now and then', async (_what, headers, piece) => {
    const head = gzipSync('').subarray(0, 10);
    const { url } = await serve((_request, response) => {
      response.writeHead(200, headers).write('content-encoding' in headers ? head : 'x');
      const drip = setInterval(() => response.write(piece), 20);
      response.on('close', () => clearInterval(drip));
    });
    const fetch = guarded({ allow: ['127.0.0.1'], idleSeconds: 0.2, minBytesPerSecond: 10_000 });
    const unlimited = { codes, maxBytes: 1e9 };
    await expect(fetch.bytes(url, unlimited)).rejects.toMatchObject({
      code: 'image_unavailable',
      message: expect.stringContaining('too slowly'),
    });
  });

  it('learns nothing about internal names, not even whether they exist', async () => {
    const answerFor = async (resolve: () => Promise<string[]>) => {
      const began = performance.now();
      const error = await guarded({ resolve })
        .bytes('http://database.internal/', asked)
        .catch((thrown: unknown) => thrown);
      return { error, seconds: (performance.now() - began) / 1000 };
    };
    const slowly = () => new Promise((resolve) => setTimeout(resolve, 300));
    const [there, none, slow, broken] = await Promise.all([
      answerFor(async () => ['10.1.2.3']),
      answerFor(() => Promise.reject(new Error('getaddrinfo ENOTFOUND database.internal'))),
      answerFor(() => slowly().then(() => [])),
      answerFor(() => slowly().then(() => Promise.reject(new Error('EAI_AGAIN')))),
    ]);
    expect(there.error).toMatchObject({ code: 'image_forbidden' });
    // Whatever the result and however early it is known, it is reported after the same two seconds.
    expect(Math.min(...[there, none, slow, broken].map(({ seconds }) => seconds))).toBeGreaterThan(1.9);
    expect(String(there.error)).not.toContain('10.1.2.3');
    for (const other of [none, slow, broken]) {
      expect(String(other.error)).toBe(String(there.error));
      expect(other.error).toMatchObject({ code: 'image_forbidden' });
    }
  });

  it('cannot send headers without end', async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\n');
        const more = (): void => {
          while (!socket.destroyed && socket.write(`x: ${'y'.repeat(1000)}\r\n`));
        };
        socket.on('drain', more);
        more();
      });
    });
    const { url } = await listen(server as unknown as Server);
    expect(await codeOf(guarded().bytes(url, asked))).toBe('image_unavailable');
  });
});

describe('answers', () => {
  it.each([
    [404, 'image_unreadable'],
    [403, 'image_unreadable'],
    [304, 'image_unreadable'],
    [429, 'image_unavailable'],
    [503, 'image_unavailable'],
  ])('%i is %s', async (status, code) => {
    const { url } = await serve((_request, response) =>
      response.writeHead(status, { 'retry-after': '7' }).end(status === 304 ? undefined : 'x'),
    );
    const error = await guarded()
      .bytes(url, asked)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, retryAfter: 7 });
  });

  it('of another type are refused; those that say none are taken', async () => {
    const { url } = await serve((request, response) => {
      const type = decodeURIComponent(request.url!.slice(1));
      response.writeHead(200, type === '' ? {} : { 'content-type': type }).end('x');
    });
    const images = { ...asked, types: ['image/'] };
    const codeFor = (type: string) => codeOf(guarded().bytes(url + encodeURIComponent(type), images));
    expect(await codeFor('Image/PNG; a=b')).toBe('ok');
    expect(await codeFor('application/octet-stream')).toBe('ok');
    expect(await codeFor('')).toBe('ok');
    expect(await codeFor('text/html')).toBe('image_unreadable');
  });

  it('that never come are unavailable', async () => {
    const { url } = await serve(() => undefined);
    await opened.pop()!.close();
    expect(await codeOf(guarded().bytes(url, asked))).toBe('image_unavailable');
  });

  it('end with the caller’s reason when the caller gives up', async () => {
    const { url } = await serve((_request, response) => response.write('x'));
    const stop = new AbortController();
    const reason = new Error('enough');
    const { body } = await guarded().open(url, { ...asked, signal: stop.signal });
    await body.next();
    stop.abort(reason);
    await expect(body.next()).rejects.toBe(reason);
  });

  it('name no secret in their errors', async () => {
    const { url } = await serve((_request, response) => response.writeHead(404).end());
    const error = (await guarded()
      .bytes(`${url}a?token=secret`, asked)
      .catch((thrown: unknown) => thrown)) as Error;
    expect(error.message).toContain('/a');
    expect(error.message).not.toContain('secret');
  });
});
