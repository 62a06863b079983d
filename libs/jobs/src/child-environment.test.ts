import { expect, test } from 'vitest';
import { childEnvironment } from './child-environment.ts';

test('a child gets what it needs to run, and no key whatever it is called', () => {
  const secrets = {
    REDIS_URL: 'redis://:s@h',
    QDRANT_API_KEY: 's',
    AWS_SECRET_ACCESS_KEY: 's',
    HF_TOKEN: 's',
    EMBEDMILL_API_METRICS_KEY: 's',
    EMBEDMILL_WORKER_REMOTE_KEY: 's',
    QUEUE_URL: 's',
    MY_OWN: 's',
    GITHUB_TOKEN: 's',
    DATABASE_URL: 's',
    HTTPS_PROXY: 'http://u:s@p',
    npm_config__authToken: 's',
  };
  const needed = {
    PATH: '/bin',
    HOME: '/h',
    LC_ALL: 'C',
    NODE_COMPILE_CACHE: '/c',
    CUDA_VISIBLE_DEVICES: '0',
    OMP_NUM_THREADS: '1',
  };
  expect(childEnvironment({ ...secrets, ...needed }, { EMBEDMILL_DATA_DIR: '/d' })).toEqual({
    ...needed,
    EMBEDMILL_DATA_DIR: '/d',
  });
});
