import { expect, test } from 'vitest';
import { PAGES } from '../route.ts';
import { pagesFor } from './principal.tsx';

test('only permitted pages are offered', () => {
  expect(pagesFor({ scopes: ['admin'] }, PAGES)).toEqual([...PAGES]);
  expect(pagesFor({ scopes: ['search'] }, PAGES)).toEqual([
    'overview',
    'collections',
    'search',
    'map',
    'models',
    'usage',
  ]);
  expect(pagesFor({ scopes: ['submit'] }, PAGES)).toEqual([
    'overview',
    'jobs',
    'submit',
    'collections',
    'models',
    'usage',
  ]);
});
