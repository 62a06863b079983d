import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EmbedmillError } from '@embedmill/jobs';
import { parseRedisAddress } from './redis-address.ts';

test.each([
  ['/run/redis.sock', { kind: 'socket', path: '/run/redis.sock', tls: false }],
  [
    'redis://localhost',
    { kind: 'server', server: { host: 'localhost', port: 6379 }, database: 0, tls: false },
  ],
  [
    'rediss://u:p%40ss@[::1]:7000/3',
    {
      kind: 'server',
      server: { host: '::1', port: 7000 },
      database: 3,
      tls: true,
      username: 'u',
      password: 'p@ss',
    },
  ],
  [
    'redis://:p:w@h/',
    { kind: 'server', server: { host: 'h', port: 6379 }, database: 0, tls: false, password: 'p:w' },
  ],
  [
    'rediss+sentinel://u:p@a,b:1/main/2',
    {
      kind: 'sentinel',
      master: 'main',
      database: 2,
      tls: true,
      username: 'u',
      password: 'p',
      sentinels: [
        { host: 'a', port: 26379 },
        { host: 'b', port: 1 },
      ],
    },
  ],
  [
    'redis+cluster://a:1,b',
    {
      kind: 'cluster',
      tls: false,
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 6379 },
      ],
    },
  ],
])('%s is read', (url, address) => expect(parseRedisAddress(url)).toEqual(address));

test.each([
  ['http://h', /its scheme is unknown/],
  ['localhost:6379', /its scheme is unknown/],
  ['redis+sentry://h', /its scheme is unknown/],
  ['redis://', /host is missing/],
  ['redis://a,b', /several hosts/],
  ['redis://a:0', /port 0 is out of range/],
  ['redis://a:70000', /port 70000 is out of range/],
  ['redis://a:pw@b:x', /host or a port is not valid/],
  ['redis://a/x', /database is not a number/],
  ['redis://a?family=6', /options/],
  ['redis://u:50%@a', /%25/],
  ['redis+sentinel://a', /sentinels’ name of the master/],
  ['redis+sentinel://a/main/x', /database is not a number/],
  ['redis+cluster://a/1', /only database 0/],
])('%s is refused, and it is said why', (url, why) => {
  expect(() => parseRedisAddress(url)).toThrow(EmbedmillError);
  expect(() => parseRedisAddress(url)).toThrow(why);
  expect(() => parseRedisAddress(url)).toThrow(/expected redis:\/\//);
});

test('credentials of any characters come through', () => {
  const text = fc.string({ minLength: 1, unit: 'grapheme' });
  fc.assert(
    fc.property(text, text, (username, password) => {
      const url = `redis://${encodeURIComponent(username)}:${encodeURIComponent(password)}@h`;
      expect(parseRedisAddress(url)).toMatchObject({ username, password });
    }),
  );
});

test('whatever is wrong, the password is not in the message', () => {
  const secret = 'sEcReT-12345';
  fc.assert(
    fc.property(fc.string(), fc.string(), (before, after) => {
      try {
        parseRedisAddress(`redis${before}://u:${secret}@${after}`);
      } catch (error) {
        expect(error).toBeInstanceOf(EmbedmillError);
        expect(String(error)).not.toContain(secret);
      }
    }),
  );
});
