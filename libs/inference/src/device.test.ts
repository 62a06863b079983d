import { expect, it, test } from 'vitest';
import { deviceLabel, parseDevices } from './device.ts';

test.each([
  ['cpu', [{ kind: 'cpu' }]],
  ['webgpu', [{ kind: 'webgpu' }]],
  ['cuda', [{ kind: 'cuda', index: 0 }]],
  [
    'cuda:1, cuda:0',
    [
      { kind: 'cuda', index: 1 },
      { kind: 'cuda', index: 0 },
    ],
  ],
])('%j names devices', (text, devices) => {
  expect(parseDevices(text)).toEqual(devices);
});

test.each([
  '',
  'gpu',
  'CPU',
  'cuda:',
  'cuda:x',
  'cuda:0,cuda:0',
  'cuda,cuda:0',
  'cpu,cuda',
  'cpu,',
  'cuda:-1',
])('%j is refused, with what there is to choose from', (text) => {
  expect(() => parseDevices(text)).toThrow(/use cpu, cuda|name each device once/);
});

it('labels a device as settings name it', () => {
  for (const text of ['cpu', 'webgpu', 'cuda:3']) expect(parseDevices(text).map(deviceLabel)).toEqual([text]);
});
