import { expect, test } from 'vitest';
import { ANSWER_CHARACTERS, AnswerRoom } from './answer-size.ts';

test('a first part larger than a whole response is accepted, so that no page is empty', () => {
  const room = new AnswerRoom();
  expect(room.take(ANSWER_CHARACTERS + 1)).toBe(true);
  expect(room.take(1)).toBe(false);
});

test('parts are accepted until the next one does not fit', () => {
  const room = new AnswerRoom();
  expect(room.take(ANSWER_CHARACTERS - 10)).toBe(true);
  expect(room.take(11)).toBe(false);
  expect(room.take(10)).toBe(true);
});
