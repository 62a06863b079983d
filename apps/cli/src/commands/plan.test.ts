import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCommandLine } from '../command-line.ts';
import { Interruption } from '../stack/interruption.ts';
import type { Cluster, Outcome } from '../plan/cluster.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'embedmill-plan-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const written = { out: '', err: '' };
  const stream = (name: 'out' | 'err') => ({ write: (text: string) => (written[name] += text) });
  const code = await runCommandLine(['plan', ...args], {
    out: stream('out'),
    err: stream('err'),
    environment: { EMBEDMILL_DATA_DIR: folder },
    interruption: new Interruption(),
  });
  return { code, ...written };
}

const MANY = ['--documents', '1e9', '--tokens-per-doc', '200'];

test('a plan says workers, hours, shards, Redis and store, and where the rate comes from', async () => {
  const { code, out } = await run(...MANY, '--hours', '24');
  expect(code).toBe(0);
  expect(out).toMatch(/^workers +69 +to end within 24\.0 h$/m);
  expect(out).toMatch(/^rate per worker +34\.1k\/s +measured with texts of 256 tokens/m);
  expect(out).toMatch(/^shards +3,906,250 /m);
  for (const row of ['time', 'Redis', 'spool', 'Qdrant', 'or zvec'])
    expect(out).toMatch(new RegExp(`^${row} `, 'm'));
  expect(out).toMatch(/^! zvec cannot write/m);
});

test('tokens are estimated of characters, by the language, which chooses the model as well', async () => {
  const chinese = [
    '--documents',
    '1e6',
    '--workers',
    '10',
    '--tokens-per-second',
    '5000',
    '--language',
    'zh',
  ];
  const { request, plan } = JSON.parse((await run(...chinese, '--chars-per-doc', '500', '--json')).out) as {
    request: object;
    plan: { spoolBytes: number };
  };
  // The multilingual model reads 512 tokens, the English one 256.
  expect(request).toMatchObject({ tokensPerDocument: 300, bytesPerToken: 4.1, chunkTokens: 512 });
  expect(plan.spoolBytes / 1e6 / (300 * 4.1)).toBeCloseTo(1, 1);
  const given = await run(...chinese, '--tokens-per-doc', '300', '--json');
  expect(JSON.parse(given.out)).toMatchObject({ request, plan });
  const english = await run(...MANY.slice(0, 2), '--chars-per-doc', '1000', '--hours', '24', '--json');
  expect(JSON.parse(english.out)).toMatchObject({
    request: { tokensPerDocument: 240, bytesPerToken: 4.3, chunkTokens: 256 },
  });
});

test.each([
  [['--documents', '1e6', '--hours', '9'], /--tokens-per-doc or --chars-per-doc/],
  [['--documents', '1e6', '--hours', '9', '--chars-per-doc', '9', '--tokens-per-doc', '9'], /cannot be used/],
  [
    ['--documents', '1e6', '--hours', '9', '--chars-per-doc', '9', '--language', 'finnish'],
    /tokens per character of finnish were not measured; give --tokens-per-doc/,
  ],
])('%j is refused', async (args, message) => {
  const { code, err } = await run(...args);
  expect(code).toBe(2);
  expect(err).toMatch(message);
});

test('with --workers the hours follow, and a rate of the user’s own is named as such', async () => {
  const { code, out } = await run(
    ...MANY,
    '--workers',
    '10',
    '--device',
    'cuda',
    '--tokens-per-second',
    '500000',
  );
  expect(code).toBe(0);
  expect(out).toMatch(/^time +11\.2 h/m);
  expect(out).toMatch(/as given \(--tokens-per-second\)/);
});

test.each([
  [
    [...MANY, '--hours', '9', '--device', 'cuda'],
    /is unknown.*embedmill bench --models.*--tokens-per-second/,
  ],
  [[...MANY, '--hours', '9', '--model', 'bge-base-en-v1.5'], /speed of bge-base-en-v1\.5 on cpu is unknown/],
  [[...MANY, '--hours', '9', '--model', 'splade-tiny'], /gives no dense vectors/],
  [[...MANY, '--hours', '9', '--workers', '3'], /cannot be used with/],
  [MANY, /the number of --workers, or the --hours/],
  [['--documents', 'many', '--tokens-per-doc', '9', '--hours', '1'], /whole number, such as 1000000 or 1e6/],
  [['--documents', '1e12', '--tokens-per-doc', '200', '--hours', '9', '--simulate'], /too many to simulate/],
])('%j ends with 2 and says what to do', async (args, message) => {
  const { code, err } = await run(...args);
  expect(code).toBe(2);
  expect(err).toMatch(message);
});

test('--simulate shows the bounds beside what was planned; --json has all of it, and the seed gives it again', async () => {
  const args = ['--documents', '1e7', '--tokens-per-doc', '100', '--workers', '200', '--simulate'];
  const { out } = await run(...args);
  for (const row of ['utilisation', 'tail', 'fairness', 'a small job', 'run twice'])
    expect(out).toMatch(new RegExp(`^${row} `, 'm'));
  const first = await run(...args, '--json');
  expect(first.out).toMatch(/^\{[^\n]*\}\n$/);
  expect((await run(...args, '--json')).out).toBe(first.out);
  const { plan, simulation } = JSON.parse(first.out) as {
    plan: { workers: number; shards: { count: number }; redis: { outstandingShards: number } };
    simulation: { outcome: { settled: number; mostOutstanding: number; utilisation: number } };
  };
  expect(plan).toMatchObject({ workers: 200, shards: { count: 39_063 } });
  expect(simulation.outcome.settled).toBe(39_063 + 4);
  expect(simulation.outcome.mostOutstanding).toBeLessThanOrEqual(plan.redis.outstandingShards);
});

test('with --bound and --replicas a plan is simulated as it would be with them', async () => {
  const args = ['--documents', '2e6', '--tokens-per-doc', '100', '--workers', '100', '--simulate', '--json'];
  const outcomeOf = async (...more: string[]) =>
    (JSON.parse((await run(...args, ...more)).out) as { simulation: { outcome: Outcome; cluster: Cluster } })
      .simulation;
  const fixed = await outcomeOf('--bound', '32', '--replicas', '3');
  expect(fixed.cluster).toMatchObject({ dispatchers: 3, mostShards: 32 });
  expect(fixed.outcome.mostOfOneJob).toBe(32);
  expect(fixed.outcome.utilisation).toBeLessThan((await outcomeOf()).outcome.utilisation / 2);
});

test('a model of the user’s own is planned with where `up` has it, without a setting', async () => {
  mkdirSync(join(folder, 'own-models'));
  const own = {
    name: 'mine',
    dims: 1024,
    pooling: 'mean',
    maxTokens: 512,
    model: { path: 'model.onnx' },
    source: { kind: 'hub', repository: 'me/mine', revision: 'a'.repeat(40) },
    license: 'mit',
  };
  writeFileSync(join(folder, 'own-models/models.json'), JSON.stringify([own]));
  const asked = ['--workers', '10', '--tokens-per-second', '5000', '--model', 'mine', '--json'];
  const { code, out } = await run(...MANY, ...asked);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ request: { dims: 1024, chunkTokens: 512 } });
});
