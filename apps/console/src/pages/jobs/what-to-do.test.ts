import { expect, test } from 'vitest';
import { whatToDo } from './what-to-do.ts';

test('a reason that lies in the document comes with its fix', () => {
  expect(whatToDo('document_encrypted', false)).toBe('todo.password');
  expect(whatToDo('image_forbidden', false)).toBe('todo.allow');
});

test('for any other reason, the advice is to retry if that may help, and else to fix the documents', () => {
  expect(whatToDo('engine_crashed', true)).toBe('todo.retry');
  expect(whatToDo('a_code_of_another_version', false)).toBe('todo.mend');
  expect(whatToDo('toString', false)).toBe('todo.mend');
});
