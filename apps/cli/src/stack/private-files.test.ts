import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makePrivate } from './private-files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'embedmill-private-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const modeOf = (...parts: string[]) => statSync(join(folder, ...parts)).mode & 0o777;

test('what an earlier version left open to others is closed; what is not ours is left alone', () => {
  const foreign = join(folder, 'mine');
  for (const path of ['spool/job_1', 'vectors/docs', 'logs', 'mine'])
    mkdirSync(join(folder, path), { recursive: true, mode: 0o755 });
  for (const path of ['spool/job_1/source', 'logs/api.log', 'up.json', 'mine/notes', 'outside'])
    writeFileSync(join(folder, path), 'x', { mode: 0o644 });
  symlinkSync(foreign, join(folder, 'spool', 'link'));
  expect(makePrivate(folder)).toEqual([]);
  expect(modeOf()).toBe(0o700);
  expect(modeOf('spool')).toBe(0o700);
  expect(modeOf('spool', 'job_1')).toBe(0o700);
  expect(modeOf('spool', 'job_1', 'source')).toBe(0o600);
  expect(modeOf('vectors', 'docs')).toBe(0o700);
  expect(modeOf('logs', 'api.log')).toBe(0o600);
  expect(modeOf('up.json')).toBe(0o600);
  expect(modeOf('mine')).toBe(0o755);
  expect(modeOf('mine', 'notes')).toBe(0o644);
  expect(modeOf('outside')).toBe(0o644);
});
