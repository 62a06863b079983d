import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { EmbedmillError } from '@embedmill/jobs';
import { RemoteEngine, type EngineBatch, type RemoteEngineEvent, type RemoteEngineOptions } from './index.ts';
import { fakeVector, FakeUpstream, type FakeOptions, type Misbehaviour } from './remote/fake-upstream.ts';

const KEY = 'sk-very-secret-7f3a';
const FLAVOURS = ['tei', 'openai'] as const;

const cleanups: (() => Promise<unknown>)[] = [];
const upstreams: FakeUpstream[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  expect(upstreams.splice(0).flatMap(({ violations }) => violations)).toEqual([]);
});

async function start(options: FakeOptions): Promise<FakeUpstream> {
  const upstream = await FakeUpstream.start(options);
  upstreams.push(upstream);
  cleanups.push(() => upstream.close());
  return upstream;
}

async function connect(
  upstream: FakeUpstream | string,
  options: Partial<RemoteEngineOptions> = {},
): Promise<RemoteEngine> {
  const url = typeof upstream === 'string' ? upstream : upstream.url;
  const engine = await RemoteEngine.connect({
    url,
    api: 'auto',
    model: 'fake-model',
    normalize: false,
    deadlineMs: 10_000,
    ...options,
  });
  cleanups.push(() => engine.close());
  return engine;
}

/** An upstream with a connected engine; the requests of discovery do not count. */
async function both(
  options: FakeOptions,
  engineOptions: Partial<RemoteEngineOptions> = {},
): Promise<{ upstream: FakeUpstream; engine: RemoteEngine }> {
  const upstream = await start(options);
  const engine = await connect(upstream, engineOptions);
  upstream.requests.length = 0;
  return { upstream, engine };
}

const batchOf = (texts: readonly string[], urgent = false): EngineBatch => ({
  ids: Int32Array.from({ length: texts.length * 3 }, (_, n) => n),
  lengths: Int32Array.from(texts, () => 3),
  urgent,
  texts,
});
const some = (count: number, name = 'text'): string[] =>
  Array.from({ length: count }, (_, n) => `${name} ${n}`);
const expected = (texts: readonly string[], dims = 8): number[] =>
  texts.flatMap((text) => [...fakeVector(text, dims)]);

async function errorOf(promise: Promise<unknown>): Promise<EmbedmillError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof EmbedmillError)) throw new Error(`no EmbedmillError: ${inspect(error)}`);
  return error;
}

/** Halves failing batches as the encoder does: the texts that fail alone. */
async function culprits(engine: RemoteEngine, texts: readonly string[]): Promise<[string, string][]> {
  try {
    const { vectors } = await engine.run(batchOf(texts));
    expect([...vectors]).toEqual(expected(texts));
    return [];
  } catch (error) {
    const { code } = error as EmbedmillError;
    expect(['engine_failed', 'engine_crashed', 'engine_timeout']).toContain(code);
    const [text = '', ...others] = texts;
    if (others.length === 0) return [[text, code]];
    const middle = Math.ceil(texts.length / 2);
    return [
      ...(await culprits(engine, texts.slice(0, middle))),
      ...(await culprits(engine, texts.slice(middle))),
    ];
  }
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 90_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Generous, because other test suites may share the same cores. */
const slow = { timeout: 180_000 };

describe('connecting', slow, () => {
  it('knows a TEI by its info, and takes its largest batch from there', async () => {
    const upstream = await start({ flavour: 'tei', maxItems: 20, dims: 12, model: 'BAAI/bge-base' });
    const events: RemoteEngineEvent[] = [];
    const engine = await connect(upstream, { onEvent: (event) => events.push(event) });
    expect(engine).toMatchObject({ dims: 12, maxItems: 20, capacity: 4, inFlight: 0 });
    expect(upstream.requests.map(({ path }) => path)).toEqual(['/info', '/embed']);
    expect(events).toEqual([
      { kind: 'connected', api: 'tei', model: 'BAAI/bge-base', dims: 12, maxItems: 20 },
    ]);
  });

  it('takes what has no info for OpenAI’s API', async () => {
    const upstream = await start({ flavour: 'openai', dims: 12 });
    const engine = await connect(upstream);
    expect(engine).toMatchObject({ dims: 12, maxItems: 2048 });
    expect(upstream.requests.map(({ path }) => path)).toEqual(['/info', '/v1/embeddings']);
  });

  it.each(['', '/', '/v1', '/v1/'])('finds both APIs under a base path that ends in “%s”', async (end) => {
    for (const flavour of FLAVOURS) {
      const upstream = await start({ flavour, basePath: '/models/mini' });
      const engine = await connect(upstream.url + end, { api: flavour });
      expect([...(await engine.run(batchOf(['a']))).vectors]).toEqual(expected(['a']));
    }
  });

  it('finds OpenAI’s API at the root, where Infinity has it', async () => {
    const upstream = await start({ flavour: 'openai', prefix: '' });
    const engine = await connect(upstream);
    expect([...(await engine.run(batchOf(['a']))).vectors]).toEqual(expected(['a']));
    expect(upstream.requests.at(-1)?.path).toBe('/embeddings');
  });

  it.each([
    ['ftp://127.0.0.1/x', 'ftp:'],
    ['not an address', 'URL'],
    ['http://user:pass-word@127.0.0.1', 'password'],
  ])('refuses %s without repeating secrets', async (url, says) => {
    const error = await errorOf(connect(url));
    expect(error).toMatchObject({ code: 'invalid_config', message: expect.stringContaining(says) });
    expect(error.message).not.toContain('pass-word');
  });

  it.each(FLAVOURS)('refuses vectors of another size than the model has, of %s', async (flavour) => {
    const upstream = await start({ flavour, dims: 12 });
    const error = await errorOf(connect(upstream, { dims: 384 }));
    expect(error.code).toBe('model_corrupt');
    expect(error.message).toMatch(/12 numbers.*384.*(run|correct)/);
  });

  it('names the models that there are when there is no such one', async () => {
    const upstream = await start({ flavour: 'openai', model: 'the-one-it-has' });
    const error = await errorOf(connect(upstream, { model: 'another' }));
    expect(error.code).toBe('model_unavailable');
    expect(error.message).toMatch(/404.*does not exist.*another.*the-one-it-has/);
  });

  it('says so when a TEI is wanted and it is none', async () => {
    const upstream = await start({ flavour: 'openai' });
    const error = await errorOf(connect(upstream, { api: 'tei' }));
    expect(error).toMatchObject({ code: 'model_unavailable', message: expect.stringMatching(/info.*404/) });
  });

  it('waits for an upstream that is starting', async () => {
    const upstream = await start({ flavour: 'tei' });
    upstream.unready = 2;
    upstream.next = [{ kind: 'reset', when: 'before' }];
    const events: RemoteEngineEvent[] = [];
    await connect(upstream, { onEvent: (event) => events.push(event) });
    expect(events.map(({ kind }) => kind)).toEqual(['retrying', 'retrying', 'retrying', 'connected']);
  });

  it('does not take a TEI that is not ready for something else', async () => {
    const upstream = await start({ flavour: 'tei' });
    upstream.unready = Infinity;
    const error = await errorOf(connect(upstream, { deadlineMs: 300 }));
    expect(error.code).toBe('model_unavailable');
    expect(error.message).toMatch(/info answers 503: starting/);
  });

  it('gives up within its deadline where nothing listens, or nothing speaks TLS', async () => {
    const upstream = await start({ flavour: 'tei' });
    const { url } = upstream;
    const noTls = await errorOf(connect(url.replace('http:', 'https:'), { deadlineMs: 300 }));
    expect(noTls).toMatchObject({ code: 'model_unavailable', retryable: true });
    await upstream.close();
    const nobody = await errorOf(connect(url, { deadlineMs: 300 }));
    expect(nobody.code).toBe('model_unavailable');
    expect(nobody.message).toMatch(/cannot be reached \(ECONNREFUSED/);
  });
});

describe('the key', slow, () => {
  it.each(FLAVOURS)('goes in the Authorization header of every request, to %s', async (flavour) => {
    const upstream = await start({ flavour, apiKey: KEY });
    const engine = await connect(upstream, { apiKey: KEY });
    await engine.run(batchOf(some(3)));
    expect(new Set(upstream.requests.map(({ authorization }) => authorization))).toEqual(
      new Set([`Bearer ${KEY}`]),
    );
  });

  it.each(FLAVOURS)('is asked for when %s does not take it, and shown nowhere', async (flavour) => {
    const upstream = await start({ flavour, apiKey: 'the right one' });
    const events: RemoteEngineEvent[] = [];
    const wrong = await errorOf(connect(upstream, { apiKey: KEY, onEvent: (event) => events.push(event) }));
    expect(wrong.code).toBe('model_unavailable');
    expect(wrong.message).toMatch(/401.*\[the key\].*check the key/);
    expect(inspect([wrong, events], { depth: Infinity, showHidden: true })).not.toContain(KEY);
    const none = await errorOf(connect(upstream));
    expect(none).toMatchObject({
      code: 'model_unavailable',
      message: expect.stringContaining('none is set'),
    });
  });

  it('is not shown in part either, where the upstream’s words are cut', async () => {
    const { upstream, engine } = await both({ flavour: 'tei', apiKey: KEY }, { apiKey: KEY });
    for (let length = 300 - KEY.length; length <= 300; length += 1) {
      upstream.next = [{ kind: 'status', status: 403, body: `${'x'.repeat(length)}${KEY} and more` }];
      const error = await errorOf(engine.run(batchOf(['a'])));
      expect(error.message).not.toContain(KEY.slice(0, 3));
    }
  });

  it('that no header can carry is refused, and not shown', async () => {
    const error = await errorOf(connect('http://127.0.0.1:1', { apiKey: `${KEY}\n` }));
    expect(error.code).toBe('invalid_config');
    expect(inspect(error, { depth: Infinity })).not.toContain(KEY);
  });

  it('does not follow a redirect, and neither do the texts', async () => {
    const elsewhere = await start({ flavour: 'tei' });
    const { upstream, engine } = await both({ flavour: 'tei', apiKey: KEY }, { apiKey: KEY });
    const headers = { location: `${elsewhere.url}/embed` };
    upstream.next = [{ kind: 'status', status: 307, headers }];
    const error = await errorOf(engine.run(batchOf(['a'])));
    expect(error.code).toBe('model_unavailable');
    expect(error.message).toContain(`redirects to ${elsewhere.url}/embed`);
    expect(elsewhere.requests).toEqual([]);
  });
});

describe('vectors', slow, () => {
  it.each(FLAVOURS)('come back in the order of the texts, however %s’s requests are cut', async (flavour) => {
    const { upstream, engine } = await both({ flavour, maxItems: 3, refusal: 413 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.string({ minLength: 1 }), { maxLength: 11 })),
        async (batches) => {
          for (let at = 0; at < batches.length; at += engine.capacity) {
            const together = batches.slice(at, at + engine.capacity);
            const results = await Promise.all(together.map((texts) => engine.run(batchOf(texts))));
            expect(results.map(({ vectors }) => [...vectors])).toEqual(
              together.map((texts) => expected(texts)),
            );
          }
        },
      ),
      { numRuns: 30 },
    );
    expect(upstream.mostUnderWay).toBeLessThanOrEqual(engine.capacity);
  });

  it('are the same from TEI, from OpenAI in base64 and from OpenAI in numbers', async () => {
    const texts = some(70);
    const [tei, base64, numbers] = await Promise.all(
      [
        { flavour: 'tei' as const },
        { flavour: 'openai' as const },
        { flavour: 'openai' as const, knowsBase64: false },
      ].map(async (options) => (await both(options)).engine.run(batchOf(texts))),
    );
    expect(base64?.vectors).toEqual(tei?.vectors);
    expect(numbers?.vectors).toEqual(tei?.vectors);
    expect([...(tei?.vectors ?? [])]).toEqual(expected(texts));
  });

  it('have length 1 when that is wanted, whether or not the upstream sees to it', async () => {
    const texts = some(5);
    const results = await Promise.all(
      FLAVOURS.map(async (flavour) =>
        (await both({ flavour }, { normalize: true })).engine.run(batchOf(texts)),
      ),
    );
    for (const { vectors, seconds } of results) {
      expect(seconds).toBeGreaterThan(0);
      for (const [n, text] of texts.entries()) {
        const own = vectors.subarray(n * 8, (n + 1) * 8);
        expect(Math.hypot(...own)).toBeCloseTo(1, 6);
        const raw = fakeVector(text, 8);
        const length = Math.hypot(...raw);
        for (const [d, number] of own.entries()) expect(number).toBeCloseTo(raw[d]! / length, 6);
      }
    }
  });

  it('are asked for in the words of each API', async () => {
    const tei = await both({ flavour: 'tei' }, { normalize: true });
    await tei.engine.run(batchOf(['a', 'b']));
    expect(tei.upstream.requests[0]?.body).toEqual({ inputs: ['a', 'b'], normalize: true, truncate: true });
    const openai = await both({ flavour: 'openai' });
    await openai.engine.run(batchOf(['a', 'b']));
    expect(openai.upstream.requests[0]?.body).toEqual({
      input: ['a', 'b'],
      model: 'fake-model',
      encoding_format: 'base64',
    });
  });

  it('are all that can be asked for', async () => {
    const { engine, upstream } = await both({ flavour: 'tei' });
    expect(engine.outputs).toEqual(['dense']);
    const batch = { ...batchOf(['a']), outputs: ['dense', 'states'] } as const;
    expect(await errorOf(engine.run(batch))).toMatchObject({
      code: 'engine_failed',
      message: expect.stringContaining('states') as string,
    });
    expect(upstream.requests).toEqual([]);
  });

  it('cannot be had of a batch without its texts', async () => {
    const { upstream, engine } = await both({ flavour: 'tei' });
    const { ids, lengths, urgent } = batchOf(['a', 'b']);
    const none = await errorOf(engine.run({ ids, lengths, urgent }));
    expect(none).toMatchObject({ code: 'engine_failed', message: expect.stringContaining('texts') });
    const tooFew = await errorOf(engine.run({ ids, lengths, urgent, texts: ['a'] }));
    expect(tooFew.code).toBe('engine_failed');
    expect(upstream.requests).toEqual([]);
  });
});

describe('bounds', slow, () => {
  it('take as many batches as the capacity says, and an urgent one on top', async () => {
    const { upstream, engine } = await both({ flavour: 'tei' }, { capacity: 2 });
    const { promise, resolve } = Promise.withResolvers<void>();
    upstream.whim = () => ({ kind: 'hold', until: promise });
    const running = [engine.run(batchOf(['a'])), engine.run(batchOf(['b']))];
    expect((await errorOf(engine.run(batchOf(['c'])))).code).toBe('overloaded');
    running.push(engine.run(batchOf(['urgent'], true)));
    expect((await errorOf(engine.run(batchOf(['d'], true)))).code).toBe('overloaded');
    await until(() => upstream.underWay === 3, 'three requests at once');
    resolve();
    const results = await Promise.all(running);
    expect(results.map(({ vectors }) => [...vectors])).toEqual(
      [['a'], ['b'], ['urgent']].map((one) => expected(one)),
    );
  });

  it('let an urgent batch go before the requests that wait', async () => {
    const { upstream, engine } = await both({ flavour: 'tei', maxItems: 1 }, { capacity: 1 });
    const { promise, resolve } = Promise.withResolvers<void>();
    upstream.next = [
      { kind: 'hold', until: promise },
      { kind: 'hold', until: promise },
    ];
    const bulk = engine.run(batchOf(some(6)));
    await until(() => upstream.underWay === 1, 'the first of six');
    const urgent = engine.run(batchOf(['now', 'then'], true));
    await until(() => upstream.underWay === 2, 'one urgent request on top');
    resolve();
    await Promise.all([bulk, urgent]);
    expect(upstream.asked.slice(0, 3)).toEqual([['text 0'], ['now'], ['then']]);
    expect(upstream.mostUnderWay).toBe(2);
  });

  it('cut a batch evenly', async () => {
    const { upstream, engine } = await both({ flavour: 'tei', maxItems: 32 });
    await engine.run(batchOf(some(33)));
    expect(upstream.asked.map(({ length }) => length).sort()).toEqual([16, 17]);
  });

  it('close after what is in flight, and then take nothing', async () => {
    const { upstream, engine } = await both({ flavour: 'openai' });
    const { promise, resolve } = Promise.withResolvers<void>();
    upstream.next = [{ kind: 'hold', until: promise }];
    const running = engine.run(batchOf(['a']));
    await until(() => upstream.underWay === 1, 'the request');
    let isClosed = false;
    const closing = engine.close().then(() => (isClosed = true));
    expect((await errorOf(engine.run(batchOf(['b'])))).code).toBe('engine_failed');
    expect(isClosed).toBe(false);
    resolve();
    expect([...(await running).vectors]).toEqual(expected(['a']));
    await closing;
    expect(engine.inFlight).toBe(0);
  });

  it.each(FLAVOURS)('are set to what %s may answer', async (flavour) => {
    const { upstream, engine } = await both({ flavour });
    upstream.next = [{ kind: 'endless' }];
    const error = await errorOf(engine.run(batchOf(['a'])));
    expect(error).toMatchObject({ code: 'engine_failed', message: expect.stringContaining('bytes') });
    await until(() => upstream.underWay === 0, 'the connection is given up');
    // The sockets' buffers come on top of the 64 kB that are read.
    expect(upstream.endlessBytes).toBeLessThan(16e6);
  });
});

describe('a temporary failure', slow, () => {
  const passing: [string, Misbehaviour][] = [
    ['429', { kind: 'status', status: 429, headers: { 'retry-after': '0' } }],
    ['503', { kind: 'status', status: 503, body: '<html>starting</html>' }],
    ['500', { kind: 'status', status: 500 }],
    ['502 of a gateway', { kind: 'status', status: 502 }],
    ['504 of a gateway', { kind: 'status', status: 504 }],
    ['TEI’s 424', { kind: 'status', status: 424, body: { error: 'backend', error_type: 'Backend' } }],
    ['a connection that breaks before the answer', { kind: 'reset', when: 'before' }],
    ['a connection that breaks in the middle of it', { kind: 'reset', when: 'amid' }],
  ];
  it.each(passing)('is tried again: %s', async (_, misbehaviour) => {
    for (const flavour of FLAVOURS) {
      const events: RemoteEngineEvent[] = [];
      const { upstream, engine } = await both({ flavour }, { onEvent: (event) => events.push(event) });
      upstream.next = [misbehaviour];
      expect([...(await engine.run(batchOf(['a', 'b']))).vectors]).toEqual(expected(['a', 'b']));
      expect(upstream.asked).toEqual([
        ['a', 'b'],
        ['a', 'b'],
      ]);
      expect(events.map(({ kind }) => kind)).toEqual(['connected', 'retrying']);
    }
  });

  it('is tried again: a request that hangs', async () => {
    const { upstream, engine } = await both({ flavour: 'tei' }, { deadlineMs: 2000 });
    upstream.next = [{ kind: 'hang' }];
    expect([...(await engine.run(batchOf(['a']))).vectors]).toEqual(expected(['a']));
  });

  it('is tried again no sooner than the upstream asks', async () => {
    const { upstream, engine } = await both({ flavour: 'openai' });
    upstream.next = [{ kind: 'status', status: 429, headers: { 'retry-after': '1' } }];
    await engine.run(batchOf(['a']));
    const [first, second] = upstream.requests;
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(990);
  });

  it('is left to the queue when the upstream asks for more time than there is', async () => {
    const { upstream, engine } = await both({ flavour: 'openai' });
    for (const after of ['3600', new Date(Date.now() + 3_600_000).toUTCString()]) {
      upstream.next = [{ kind: 'status', status: 429, headers: { 'retry-after': after } }];
      const error = await errorOf(engine.run(batchOf(['a'])));
      expect(error).toMatchObject({ code: 'model_unavailable', message: expect.stringContaining('429') });
      expect(error.retryAfter).toBeGreaterThan(3500);
    }
    expect(upstream.requests).toHaveLength(2);
  });

  const lasting: [string, Misbehaviour][] = [
    ['429', { kind: 'status', status: 429 }],
    ['503', { kind: 'status', status: 503 }],
    ['500', { kind: 'status', status: 500 }],
    ['401', { kind: 'status', status: 401 }],
    ['403', { kind: 'status', status: 403 }],
    ['404', { kind: 'status', status: 404 }],
    ['400 to everything', { kind: 'status', status: 400 }],
    ['broken connections', { kind: 'reset', when: 'before' }],
    ['no answer', { kind: 'hang' }],
    ['something that is not JSON', { kind: 'body', body: '<html>log in</html>' }],
    ['an error with status 200', { kind: 'body', body: '{"error":{"message":"no"}}' }],
    ['a vector too few', { kind: 'count', more: -1 }],
  ];
  it.each(lasting)('that does not pass is no document’s fault: %s', async (_, misbehaviour) => {
    const { upstream, engine } = await both({ flavour: 'tei' }, { deadlineMs: 500 });
    upstream.whim = () => misbehaviour;
    const error = await errorOf(engine.run(batchOf(some(3))));
    expect(error).toMatchObject({ code: 'model_unavailable', retryable: true });
    expect(error.message).toContain(`${upstream.url}/embed`);
    upstream.whim = () => undefined;
    expect([...(await engine.run(batchOf(['a']))).vectors]).toEqual(expected(['a']));
  });

  it('that does not pass is no document’s fault: an upstream that is gone', async () => {
    const { upstream, engine } = await both({ flavour: 'openai' }, { deadlineMs: 500 });
    await upstream.close();
    const errors = await Promise.all(some(3).map((text) => errorOf(engine.run(batchOf([text])))));
    expect(errors.map(({ code }) => code)).toEqual(some(3).map(() => 'model_unavailable'));
    expect(engine.inFlight).toBe(0);
  });

  it('that does not pass is no document’s fault: another model in its place', async () => {
    const { upstream, engine } = await both({ flavour: 'tei' });
    upstream.options.dims = 12;
    const error = await errorOf(engine.run(batchOf(['a'])));
    expect(error.code).toBe('model_unavailable');
    expect(error.message).toMatch(/12 numbers where 8 are expected/);
  });
});

describe('a failure caused by one text', slow, () => {
  const POISON = 'poison';
  const causes: [string, Misbehaviour, string, RegExp][] = [
    ...[400, 413, 422].map((status): [string, Misbehaviour, string, RegExp] => [
      `a refusal with ${status}`,
      { kind: 'status', status, body: { error: 'must have less than 512 tokens', error_type: 'Validation' } },
      'engine_failed',
      new RegExp(`${status}.*must have less than 512 tokens`),
    ]),
    ['an error inside', { kind: 'status', status: 500, body: 'oops' }, 'engine_failed', /500: oops/],
    ['a broken connection', { kind: 'reset', when: 'amid' }, 'engine_crashed', /closed the connection/],
    ['no answer', { kind: 'hang' }, 'engine_timeout', /did not respond completely within/],
    ['NaN', { kind: 'number', literal: 'NaN' }, 'engine_failed', /not JSON/],
    ['a null for NaN', { kind: 'number', literal: 'null' }, 'engine_failed', /finite/],
    ['a number out of range', { kind: 'number', literal: '1e39' }, 'engine_failed', /finite/],
    ['a vector too many', { kind: 'count', more: 1 }, 'engine_failed', /vectors for \d+ text/],
    ['something else', { kind: 'body', body: '{"data": 1}' }, 'engine_failed', /not a list/],
    ['an endless body', { kind: 'endless' }, 'engine_failed', /more than \d+ bytes/],
  ];
  it.each(causes)('fails by itself, and its neighbours do not: %s', async (_, misbehaviour, code, says) => {
    for (const flavour of FLAVOURS) {
      const deadlineMs = misbehaviour.kind === 'hang' ? 800 : 10_000;
      const { upstream, engine } = await both({ flavour }, { deadlineMs });
      upstream.whim = (texts) => (texts.includes(POISON) ? misbehaviour : undefined);
      expect(await culprits(engine, [...some(3), POISON])).toEqual([[POISON, code]]);
      const error = await errorOf(engine.run(batchOf([POISON])));
      expect(error).toMatchObject({ code, message: expect.stringMatching(says) });
    }
  });

  it('is said in the upstream’s words, without its texts being sent again and again', async () => {
    const { upstream, engine } = await both({ flavour: 'tei' });
    const error = await errorOf(engine.run(batchOf([''])));
    expect(error).toMatchObject({
      code: 'engine_failed',
      message: expect.stringContaining('cannot be empty'),
    });
    expect(upstream.asked).toEqual([[''], ['embedmill']]);
  });

  it('ends the other requests of its batch', async () => {
    const { upstream, engine } = await both({ flavour: 'tei', maxItems: 2 });
    upstream.whim = (texts) =>
      texts.includes(POISON)
        ? { kind: 'status', status: 422 }
        : texts.includes('embedmill')
          ? undefined
          : { kind: 'hang' };
    const error = await errorOf(engine.run(batchOf([POISON, ...some(21)])));
    expect(error.code).toBe('engine_failed');
    // The requests that had a slot, and the check whether the upstream works otherwise; the rest were never sent.
    expect(upstream.asked.length).toBeLessThanOrEqual(engine.capacity + 1);
    expect(engine.inFlight).toBe(0);
    await until(() => upstream.underWay === 0, 'nothing is left under way');
  });
});

describe('the size of requests', slow, () => {
  it.each([400, 413, 422])('is learned from refusals with %i, which no batch fails by', async (refusal) => {
    const events: RemoteEngineEvent[] = [];
    const { upstream, engine } = await both(
      { flavour: 'openai', maxItems: 10, refusal },
      { onEvent: (event) => events.push(event) },
    );
    const texts = some(64);
    expect([...(await engine.run(batchOf(texts))).vectors]).toEqual(expected(texts));
    expect(engine.maxItems).toBe(8);
    expect(events.filter(({ kind }) => kind === 'limited')).toEqual([
      ...[32, 16, 8].map((maxItems) => ({ kind: 'limited', maxItems })),
    ]);
    upstream.requests.length = 0;
    expect([...(await engine.run(batchOf(texts))).vectors]).toEqual(expected(texts));
    expect(upstream.asked.map(({ length }) => length)).toEqual(Array.from({ length: 8 }, () => 8));
  });

  it('is not lowered for long by a text that is refused', async () => {
    const { upstream, engine } = await both({ flavour: 'openai' });
    upstream.whim = (texts) => (texts.includes('poison') ? { kind: 'status', status: 400 } : undefined);
    expect(await culprits(engine, [...some(63), 'poison'])).toEqual([['poison', 'engine_failed']]);
    expect(engine.maxItems).toBeGreaterThanOrEqual(32);
  });

  it('is halved for bodies that a proxy finds too large, though as many items were taken before', async () => {
    const { upstream, engine } = await both({ flavour: 'tei' });
    await engine.run(batchOf(some(32)));
    upstream.whim = (texts) =>
      texts.join('').length > 5000 ? { kind: 'status', status: 413, body: 'too large' } : undefined;
    const long = some(32, 'x'.repeat(300));
    expect([...(await engine.run(batchOf(long))).vectors]).toEqual(expected(long));
    expect(engine.maxItems).toBe(32);
  });
});
