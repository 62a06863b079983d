import { EmbedmillError } from '@embedmill/jobs';
import { expect, test } from 'vitest';
import { assertSufficient } from './qdrant-version.ts';

test.each(['1.18.0', '1.18.3', '1.19.0', '1.20.0-dev', '2.0.0', 'dev', undefined])('%s does', (version) => {
  expect(() => assertSufficient('Qdrant', version)).not.toThrow();
});

test.each([
  ['1.17.1', [/version 1\.17\.1/, /1\.18 or later/, /adding a vector/]],
  ['1.15.5', [/adding a vector/, /conditional writes/]],
  ['0.11.0', [/adding a vector/, /conditional writes/]],
])('%s does not, and is told what it lacks', (version, messages) => {
  const check = () => assertSufficient('Qdrant, http://q:6333/', version);
  for (const message of messages) expect(check).toThrow(message);
  expect(check).toThrow(EmbedmillError);
});
