import { expect, test } from 'vitest';
import { hrefOf, routeOf } from './route.ts';

test('a routeâs address parses back to the route, whatever its parts contain', () => {
  const href = hrefOf('collections', ['books', 'a/b?c#d %'], { tenant: 'Ä & Ö', filter: '' });
  expect(routeOf(href)).toEqual({
    page: 'collections',
    parts: ['books', 'a/b?c#d %'],
    query: { tenant: 'Ä & Ö' },
  });
});

test('an unknown page leads to the overview', () => {
  for (const hash of ['', '#', '#/', '#/nothing', '#/%E0%A4%A'])
    expect(routeOf(hash)).toEqual({ page: 'overview', parts: [], query: {} });
});

test('a malformed escape is kept as it is', () => {
  expect(routeOf('#/jobs/%E0%A4%A').parts).toEqual(['%E0%A4%A']);
});
