import { expect, test } from 'vitest';
import { withoutPrefix } from './path-prefix.ts';

test.each([
  ['/mill/api/v1/jobs?limit=1', '/api/v1/jobs?limit=1'],
  ['/mill/', '/'],
  ['/mill?x=1', '/?x=1'],
  ['/mill', '/'],
  ['/miller/api', '/miller/api'],
  ['/readyz', '/readyz'],
])('of %s below /mill is asked %s', (url, asked) => {
  expect(withoutPrefix(url, '/mill')).toBe(asked);
});
