import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readConfig, settingsSchema } from './config.ts';

test('without any variable there is a default for all', () => {
  expect(readConfig({})).toMatchObject({ port: 7071, shards: 4, lockMs: 15_000, models: undefined });
});

test('values are read as what they are, and an empty one counts as not set', () => {
  const config = readConfig({
    EMBEDMILL_WORKER_PORT: '0',
    EMBEDMILL_WORKER_MODELS: 'a, b',
    EMBEDMILL_WORKER_CPUS: '',
    EMBEDMILL_DATA_DIR: '/data',
  });
  expect(config).toMatchObject({ port: 0, models: ['a', 'b'], cpus: undefined, spool: '/data/spool' });
});

test.each([
  ['an unknown setting', { EMBEDMILL_WORKER_TREADS: '2' }, /EMBEDMILL_WORKER_TREADS: no such setting/],
  ['an unknown shared one', { EMBEDMILL_DATADIR: 'x' }, /EMBEDMILL_DATADIR: no such setting/],
  ['a value that is none', { EMBEDMILL_WORKER_PORT: 'http' }, /EMBEDMILL_WORKER_PORT: /],
  ['a value out of range', { EMBEDMILL_WORKER_SHARDS: '257' }, /EMBEDMILL_WORKER_SHARDS: /],
])('%s is an error that names it', (_name, environment, message) => {
  expect(() => readConfig(environment)).toThrow(message);
});

test('settings of other apps are passed over', () => {
  expect(readConfig({ EMBEDMILL_API_PORT: 'x', EMBEDMILL_URL: 'x', PATH: '/bin' }).port).toBe(7071);
});

test('every setting is described, and documented for operators', () => {
  const documentation = readFileSync(new URL('../../../docs/settings.md', import.meta.url), 'utf8');
  for (const [name, field] of Object.entries(settingsSchema.shape)) {
    expect(field.description, name).toBeTruthy();
    expect(documentation.includes(`\`${name}\``), `${name} is in docs/settings.md`).toBe(true);
  }
});
