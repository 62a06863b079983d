import { expect, test } from 'vitest';
import { columnsQuery, guessed, missingIn, withRole } from './mapping.ts';

const preview = (columns: string[], ...rows: string[][]) => ({ columns, rows });

test('columns with common names get the matching roles', () => {
  expect(guessed(preview(['SKU', 'name', 'description', 'price']))).toEqual({
    SKU: 'id',
    name: 'title',
    description: 'text',
    price: 'metadata',
  });
});

test('if no column is named like the text, the one with the longest values is the text', () => {
  const mapping = guessed(preview(['id', 'a', 'b'], ['1', 'x', 'a long text'], ['2', 'y', 'another one']));
  expect(mapping).toEqual({ id: 'id', a: 'metadata', b: 'text' });
});

test('assigning a role takes it from the column that had it', () => {
  const mapping = withRole({ sku: 'id', name: 'title', note: 'metadata' }, 'name', 'id');
  expect(mapping).toEqual({ sku: 'metadata', name: 'id', note: 'metadata' });
  expect(missingIn(mapping)).toBe('text');
  expect(missingIn(withRole(mapping, 'note', 'text'))).toBeUndefined();
  expect(missingIn(withRole(mapping, 'name', 'none'))).toBe('id');
});

test('only what the server would not detect by itself is sent', () => {
  expect(columnsQuery({ id: 'id', text: 'text', metadata: 'metadata' }, 'ndjson')).toEqual({});
  expect(columnsQuery({ id: 'id', text: 'text', year: 'metadata' }, 'csv')).toEqual({});
  expect(columnsQuery({ sku: 'id', body: 'text', year: 'metadata', junk: 'none' }, 'csv')).toEqual({
    columns: '{"id":"sku","text":"body"}',
    metadata: 'year',
  });
  expect(columnsQuery({ sku: 'id', text: 'text', year: 'metadata' }, 'ndjson')).toEqual({
    columns: '{"id":"sku"}',
    metadata: 'year',
  });
});
