import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Allowances } from './allowances.ts';

let folder: string;
let path: string;
const said: string[] = [];
const log = {
  info: (_: object, message: string) => void said.push(message),
  error: (_: object, message: string) => void said.push(message),
} as never;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embedmill-allowances-'));
  path = join(folder, 'allowances.json');
  said.length = 0;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('tenants and keys have their own allowances, or the defaults', async () => {
  const others = { tenants: { documentsPerDay: 10 }, keys: { weight: 0.5 } };
  await writeFile(path, JSON.stringify({ tenants: { 'a:b': { weight: 3 } }, others }));
  const allowances = new Allowances(path, log);
  expect(allowances.weightOf('tenant:a:b')).toBe(3);
  expect(allowances.weightOf('tenant:c')).toBe(1);
  expect(allowances.weightOf('key:nightly')).toBe(0.5);
  expect(allowances.weightOf('')).toBe(1);
  expect(allowances.ofTenant('a:b')).toEqual({ weight: 3 });
  expect(allowances.ofTenant('constructor')).toEqual({ documentsPerDay: 10 });
  allowances.close();
});

test('without a file nothing is limited', () => {
  const allowances = new Allowances(undefined, log);
  expect([allowances.weightOf('tenant:x'), allowances.ofKey('k')]).toEqual([1, {}]);
  allowances.close();
});

test.each([
  ['not JSON', '{', /it is not JSON/],
  ['an unknown field', '{"tenants": {"a": {"wieght": 2}}}', /tenants\/a: .*wieght/],
  ['a weight of nothing', '{"keys": {"a": {"weight": 0}}}', /keys\/a\/weight/],
  ['a quota below one', '{"tenants": {"a": {"tokensPerDay": 0}}}', /tenants\/a\/tokensPerDay/],
])('%s is refused at the start', async (_, text, message) => {
  await writeFile(path, text);
  expect(() => new Allowances(path, log)).toThrow(message);
});

test('a file that changes is read again; one that cannot be used leaves what was before', async () => {
  await writeFile(path, JSON.stringify({ tenants: { a: { weight: 2 } } }));
  const allowances = new Allowances(path, log, 20);
  await writeFile(
    path,
    JSON.stringify({ tenants: { a: { weight: 5 } }, others: { tenants: { weight: 3 } } }),
  );
  await expect.poll(() => allowances.weightOf('tenant:a'), { timeout: 10_000 }).toBe(5);
  await writeFile(path, '{');
  await expect.poll(() => said.join(), { timeout: 10_000 }).toContain('cannot be used');
  expect([allowances.weightOf('tenant:a'), allowances.weightOf('tenant:b')]).toEqual([5, 3]);
  allowances.close();
});
