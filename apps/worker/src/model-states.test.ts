import { expect, test } from 'vitest';
import { ModelStates } from './model-states.ts';

const cpu = { kind: 'cpu', threads: 1 } as const;

test('a model is reported from its download to its work', () => {
  const states = new ModelStates(0);
  const taken = (now: number) => states.take(now)[0];
  states.loading('mini');
  expect(taken(1000)).toMatchObject({ model: 'mini', state: 'loading', devices: [], download: null });
  states.downloading('mini', { model: 'mini', file: 'm.onnx', receivedBytes: 5, totalBytes: undefined });
  expect(taken(2000)).toMatchObject({
    state: 'downloading',
    download: { file: 'm.onnx', receivedBytes: 5, totalBytes: null },
  });
  states.starting('mini', [cpu, cpu], undefined);
  expect(taken(3000)).toMatchObject({ state: 'loading', devices: ['cpu', 'cpu'], download: null });
  states.serving('mini');
  states.ran('mini', 3000);
  states.ran('mini', 1000);
  expect(taken(5000)).toMatchObject({ state: 'serving', tokensPerSecond: 2000 });
  expect(taken(6000)).toMatchObject({ tokensPerSecond: 0 });
});

test('the reason of a failure stays until a retry makes progress', () => {
  const states = new ModelStates(0);
  states.loading('mini');
  states.failed('mini', { code: 'model_unavailable', message: 'the hub is away' });
  states.loading('mini');
  expect(states.take(1000)).toMatchObject([{ state: 'failed', error: { message: 'the hub is away' } }]);
  states.serving('mini');
  expect(states.take(2000)).toMatchObject([{ state: 'serving', error: null }]);
});
