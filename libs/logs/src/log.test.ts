import fc from 'fast-check';
import { expect, test } from 'vitest';
import { withLogFields } from './fields.ts';
import { createLog, type Log } from './log.ts';
import { withoutSecrets } from './secrets.ts';

type Line = Record<string, unknown>;

/** The lines that are written, also after `write` has returned. */
function logged(write: (log: Log) => void): { readonly text: string; readonly lines: Line[] } {
  const written: string[] = [];
  write(createLog({ app: 'worker', level: 'info', destination: { write: (line) => written.push(line) } }));
  return {
    get text() {
      return written.join('');
    },
    get lines() {
      return written.map((line) => JSON.parse(line) as Line);
    },
  };
}

test('a line says who wrote it, when, and with what ids', () => {
  const { lines } = logged((log) => {
    withLogFields({ job: 'job_1' }, () => {
      withLogFields({ shard: 3 }, () => log.info({ documents: 2 }, 'the shard is settled'));
      log.debug('not at this level');
    });
  });
  expect(lines).toEqual([
    {
      level: 30,
      time: expect.any(Number) as number,
      app: 'worker',
      pid: process.pid,
      job: 'job_1',
      shard: 3,
      documents: 2,
      msg: 'the shard is settled',
    },
  ]);
});

test('work that goes on at the same time keeps its fields apart, and a line’s own field goes first', async () => {
  const { promise: both, resolve } = Promise.withResolvers<void>();
  let done: Promise<unknown> | undefined;
  const output = logged((log) => {
    const one = withLogFields({ job: 'a', shard: 0 }, async () => {
      await both;
      log.info('one');
    });
    const two = withLogFields({ job: 'b', shard: 1 }, async () => {
      resolve();
      await Promise.resolve();
      log.info({ job: 'c' }, 'two');
    });
    done = Promise.all([one, two]).then(() => log.info('neither'));
  });
  await done;
  const bySaying = new Map(output.lines.map(({ msg, job, shard }) => [msg, { job, shard }]));
  expect(bySaying.get('one')).toEqual({ job: 'a', shard: 0 });
  expect(bySaying.get('two')).toEqual({ job: 'c', shard: 1 });
  expect(bySaying.get('neither')).toEqual({ job: undefined, shard: undefined });
});

/** A possible password: any text in its own field; encoded in a URL, as required. */
const password = fc
  .string({ minLength: 8, maxLength: 30, unit: 'grapheme-ascii' })
  .map((text) => `pw7Q${text}`);
const key = fc.string({
  minLength: 16,
  maxLength: 40,
  unit: fc.constantFrom(...'abcdefXYZ0123456789-_.~+/='),
});

test('no secret of the configuration is in any line, wherever it was put', () => {
  fc.assert(
    fc.property(password, key, (secret, apiKey) => {
      const encoded = encodeURIComponent(secret);
      const redisUrl = `rediss://default:${encoded}@redis.internal:6380/0`;
      const config = {
        redisUrl,
        qdrantUrl: `https://user:${encoded}@q:6333`,
        qdrantApiKey: apiKey,
        logLevel: 'info',
      };
      const remote = { url: `http://me:${encoded}@tei`, apiKey };
      const cause = Object.assign(new Error(`connect to ${redisUrl} failed`), {
        config,
        headers: { 'api-key': apiKey },
      });
      const { text, lines } = logged((log) => {
        log.info({ config, remote }, `started with ${config.qdrantUrl}`);
        log.info({ ...config, worker: { remote } }, 'again');
        log.warn({ err: new Error(`redis said: AUTH at ${redisUrl}`, { cause }) }, 'lost touch');
        log.error(cause);
        log
          .child({ redisUrl, password: secret })
          .info({ env: { REDIS_URL: redisUrl, QDRANT_API_KEY: apiKey } }, 'child');
        log.info(
          {
            request: { headers: { authorization: `Bearer ${apiKey}`, 'x-api-key': apiKey, cookie: secret } },
          },
          'r',
        );
        log.info(`fetching https://bucket/file?X-Amz-Signature=${apiKey.replaceAll(/[^\w-]/g, 'x')}&part=1`);
        log.info(`sent Authorization: Bearer ${apiKey}`);
      });
      expect(lines).toHaveLength(8);
      const said = text.replaceAll('[secret]', '');
      for (const hidden of [secret, encoded, apiKey, JSON.stringify(secret).slice(1, -1)])
        expect(said).not.toContain(hidden);
      // Harmless details are kept.
      expect(text).toContain('redis.internal:6380');
      expect(text).toContain('part=1');
    }),
    { numRuns: 300 },
  );
});

test('texts without credentials are left as they are', () => {
  const texts = [
    'https://example.org/a?page=2#here',
    'mail me@example.org about http://h/x@y',
    'redis://127.0.0.1:6379',
    'the bearer of news',
    '{"token count":3,"url":"http://h:80/p"}',
  ];
  for (const text of texts) expect(withoutSecrets(text)).toBe(text);
});
