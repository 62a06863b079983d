import { expect, test } from 'vitest';
import type { WorkerModel, WorkerNote } from '@embedmill/jobs';
import type { SettledSlot } from '@embedmill/queue';
import { problemsOf, type Seen } from './problems.ts';

const NOW = 1_800_000_000_000;
const model: WorkerModel = {
  model: 'mini',
  state: 'serving',
  devices: ['cpu'],
  tokensPerSecond: 0,
  calibration: null,
  download: null,
  error: null,
};
const worker: WorkerNote = {
  id: 'w',
  host: 'h',
  pid: 1,
  startedAt: new Date(NOW).toISOString(),
  at: new Date(NOW).toISOString(),
  models: [model],
  shards: 0,
  mostShards: 4,
  jobs: [],
  memoryBytes: 1,
  engineRestarts: 0,
};
const WELL: Seen = {
  now: NOW,
  paused: false,
  backlogDocuments: 0,
  depth: { waiting: 0, active: 0, oldestSeconds: 0, jobs: { waiting: 0, active: 0 } },
  slots: [],
  workers: { present: [worker], gone: [] },
  memory: { usedBytes: 1, limitBytes: 100, evicts: false },
  health: [{ part: 'store', ok: true, detail: null, usedBytes: null, totalBytes: null }],
  failedJob: undefined,
};
const slot = (secondsAgo: number, documents: number, failed = 0): SettledSlot => ({
  at: NOW - 1000 * secondsAgo,
  documents,
  failed,
  tokens: 0,
});
const away = { ok: false, detail: 'it does not answer', usedBytes: null, totalBytes: null };
const broken = { ...model, state: 'failed' as const, error: { code: 'x', message: 'no such file' } };
const depth = { waiting: 3, active: 0, oldestSeconds: 700, jobs: { waiting: 0, active: 1 } };

test('if all is well, there are no problems', () => {
  expect(problemsOf(WELL)).toEqual([]);
});

test.each<[string, string, Partial<Seen>]>([
  ['EmbedmillStoreUnavailable', 'it does not answer', { health: [{ part: 'store', ...away }] }],
  ['The disk is full', 'it does not answer', { health: [{ part: 'disk', ...away }] }],
  ['EmbedmillRedisMemory', '90 %', { memory: { usedBytes: 90, limitBytes: 100, evicts: false } }],
  ['EmbedmillRedisEvicts', 'noeviction', { memory: { usedBytes: 1, limitBytes: 100, evicts: true } }],
  [
    'EmbedmillQueueStuck',
    'there is no worker',
    { depth: { ...depth, oldestSeconds: 1 }, workers: { present: [], gone: [] } },
  ],
  ['EmbedmillQueueStuck', '12 minutes', { depth }],
  [
    'EmbedmillNoProgress',
    '50 documents',
    { backlogDocuments: 50, depth: { ...depth, waiting: 0, active: 2 }, slots: [slot(700, 5), slot(10, 0)] },
  ],
  ['EmbedmillTargetDown', 'gone', { workers: { present: [worker], gone: [{ id: 'gone', seenAt: '' }] } }],
  [
    'EmbedmillEngineRestarts',
    '4 engines',
    { workers: { present: [{ ...worker, engineRestarts: 4 }], gone: [] } },
  ],
  [
    'A model cannot be loaded',
    'mini: no such file',
    { workers: { present: [{ ...worker, models: [broken] }], gone: [] } },
  ],
  ['EmbedmillFailureRatio', '6 of 100', { slots: [slot(60, 50, 3), slot(30, 50, 3), slot(2000, 50, 0)] }],
  [
    'EmbedmillJobFailed',
    'job_1: unreadable',
    {
      failedJob: {
        id: 'job_1',
        finishedAt: new Date(NOW - 1000).toISOString(),
        error: { code: 'x', message: 'unreadable' },
      },
    },
  ],
])('%s is detected, with the detail: %s', (runbook, detail, change) => {
  const found = problemsOf({ ...WELL, ...change });
  expect(found.map((one) => one.runbook)).toEqual([runbook]);
  expect(found[0]?.detail).toContain(detail);
  expect(found[0]?.means).not.toBe('');
});

test.each<[string, Partial<Seen>]>([
  ['a paused queue stands still on purpose', { paused: true, depth, backlogDocuments: 9 }],
  [
    'a model that another worker serves',
    { workers: { present: [worker, { ...worker, models: [broken] }], gone: [] } },
  ],
  ['a few failures', { slots: [slot(60, 10, 5)] }],
  [
    'a job that failed long ago',
    { failedJob: { id: 'job_1', finishedAt: new Date(NOW - 7_200_000).toISOString(), error: null } },
  ],
])('no problem is reported: %s', (_, change) => {
  expect(problemsOf({ ...WELL, ...change })).toEqual([]);
});

test('the most severe problem comes first', () => {
  const found = problemsOf({
    ...WELL,
    slots: [slot(60, 100, 50)],
    health: [{ part: 'store', ...away }],
  });
  expect(found.map(({ severity }) => severity)).toEqual(['critical', 'warning']);
});
