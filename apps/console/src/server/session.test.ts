import { expect, test } from 'vitest';
import { Session } from './session.ts';

function storage(): Storage {
  const values = new Map<string, string>();
  return {
    getItem: (name: string) => values.get(name) ?? null,
    setItem: (name: string, value: string) => void values.set(name, value),
    removeItem: (name: string) => void values.delete(name),
  } as Storage;
}

test('a key is kept for the tab until the user signs out', () => {
  const kept = storage();
  new Session(kept).enter('em_a');
  const session = new Session(kept);
  expect(session.state.key).toBe('em_a');
  session.leave();
  expect(new Session(kept).state.key).toBeUndefined();
});

test('a refused request with an older key does not ask for a key again', () => {
  const session = new Session(storage());
  session.refuse(undefined);
  expect(session.state.wanted).toBe(true);
  session.enter('em_a');
  session.refuse(undefined);
  expect(session.state).toEqual({ key: 'em_a', wanted: false, version: 1 });
  session.refuse('em_a');
  expect(session.state.wanted).toBe(true);
});
