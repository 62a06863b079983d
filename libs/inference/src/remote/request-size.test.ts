import { expect, test } from 'vitest';
import { RequestSize } from './request-size.ts';

test('what the upstream states is kept to, and not lowered by refusals that are about texts', () => {
  const size = new RequestSize(32, true);
  expect(size.noteRefused(32, 422)).toBe(false);
  expect(size.noteRefused(2, 400)).toBe(false);
  expect(size.items).toBe(32);
});

test('a body that is too large is worth halving whatever was taken before', () => {
  const size = new RequestSize(32, true);
  expect(size.noteRefused(32, 413)).toBe(true);
  expect(size.items).toBe(32);
  expect(size.noteRefused(1, 413)).toBe(false);
});

test('a limit that is not stated is learned, and never below what was taken', () => {
  const size = new RequestSize(2048, false);
  size.noteTaken(100);
  expect(size.noteRefused(300, 400)).toBe(true);
  expect(size.items).toBe(150);
  expect(size.noteRefused(150, 400)).toBe(true);
  expect(size.items).toBe(100);
  expect(size.noteRefused(100, 400)).toBe(false);
  expect(size.items).toBe(100);
});

test('refusals of requests that were sent at once lower it once', () => {
  const size = new RequestSize(2048, false);
  size.noteRefused(64, 400);
  size.noteRefused(32, 400);
  expect(size.items).toBe(16);
  size.noteRefused(64, 400);
  expect(size.items).toBe(16);
});

test('after many full requests a larger one is tried, up to what the API allows', () => {
  const size = new RequestSize(40, false);
  size.noteRefused(32, 400);
  expect(size.items).toBe(16);
  const work = (requests: number) => {
    for (let n = 0; n < requests; n += 1) size.noteTaken(size.items);
  };
  work(63);
  expect(size.items).toBe(16);
  work(1);
  expect(size.items).toBe(32);
  work(64);
  expect(size.items).toBe(40);
  work(200);
  expect(size.items).toBe(40);
});
