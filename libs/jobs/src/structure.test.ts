import { expect, test } from 'vitest';
import {
  chunkStructure,
  joinedStructure,
  ownStructure,
  spokenHead,
  type DocumentStructure,
} from './structure.ts';

const WHOLE: DocumentStructure = {
  sections: [
    { start: 0, headings: ['Guide'] },
    { start: 10, headings: ['Guide', 'Use'] },
    { start: 30, headings: ['Guide', 'Ask'] },
  ],
  pages: [
    { start: 0, number: 1 },
    { start: 20, number: 2 },
  ],
  blocks: [{ start: 15, end: 25, kind: 'table' }],
};

test('a chunk has the structure of its own text, counted from its beginning', () => {
  const place = { start: 18, end: 30 };
  const chunk = chunkStructure(WHOLE, { ...place, headings: ['Guide', 'Use'] });
  expect(ownStructure(chunk, place)).toEqual({
    sections: [{ start: 0, headings: ['Guide', 'Use'] }],
    pages: [
      { start: 0, number: 1 },
      { start: 2, number: 2 },
    ],
    blocks: [{ start: 0, end: 7, kind: 'table' }],
  });
  expect(ownStructure(undefined, place)).toBeUndefined();
});

test('a text that is not cut keeps all of its sections', () => {
  const chunk = chunkStructure(WHOLE, { start: 0, end: 40 });
  expect(joinedStructure([{ start: 0, structure: chunk }])).toEqual(WHOLE);
  expect(ownStructure(chunk, { start: 0, end: 40 })).toEqual(WHOLE);
  const late = { sections: [{ start: 10, headings: ['Use'] }] };
  const whole = chunkStructure(late, { start: 0, end: 40 });
  expect(joinedStructure([{ start: 0, structure: whole }])).toEqual(late);
});

test('of a text of one section that is not cut, the headings are known and were given to no model', () => {
  const one = { sections: [{ start: 0, headings: ['Guide', 'Use'] }] };
  const chunk = chunkStructure(one, { start: 0, end: 40 });
  expect(chunk).toEqual({ headings: ['Guide', 'Use'], apart: true });
  expect(joinedStructure([{ start: 0, structure: chunk }])).toEqual(one);
});

test('what stands before the first section is under no heading', () => {
  const late = { sections: [{ start: 10, headings: ['Use'] }] };
  expect(chunkStructure(late, { start: 0, end: 10 })).toBeUndefined();
});

test.each([
  ['Guide', ['Guide', 'Use'], 'Guide > Use'],
  ['The guide — Mill 3.1 documentation', ['The guide', 'Use'], 'The guide — Mill 3.1 documentation > Use'],
  ['mill(1)', ['mill(1) Manual Page', 'Options'], 'mill(1) Manual Page > Options'],
  ['Mill', ['Milling', 'Use'], 'Mill > Milling > Use'],
  ['Mill', ['Use'], 'Mill > Use'],
  ['Mill', [], 'Mill'],
  [null, ['Use'], 'Use'],
  [undefined, [], undefined],
  ['…', ['…', 'Use'], '… > … > Use'],
])('in front of a chunk of %j under %j stands %j', (title, headings, wanted) => {
  expect(spokenHead(title, headings)).toBe(wanted);
});
