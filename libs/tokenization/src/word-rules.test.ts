import { expect, test } from 'vitest';
import { UNIT, wordRules, type TokenizerJson } from './word-rules.ts';

const token = (content: string, changes: object = {}) => ({
  content,
  normalized: false,
  single_word: false,
  lstrip: false,
  rstrip: false,
  ...changes,
});
const BERT: TokenizerJson = {
  normalizer: { type: 'BertNormalizer', handle_chinese_chars: true },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  model: { type: 'WordPiece' },
  post_processor: { type: 'TemplateProcessing', single: [{ SpecialToken: {} }, { Sequence: {} }] },
  added_tokens: [token('[SEP]')],
};

const SAME: Record<string, TokenizerJson> = {
  'no normalizer': { normalizer: null },
  'no post-processor': { post_processor: null },
  'BERT’s post-processor': { post_processor: { type: 'BertProcessing' } },
  'RoBERTa’s, that takes no space for its own': {
    post_processor: { type: 'RobertaProcessing', trim_offsets: true, add_prefix_space: false },
  },
  'no added tokens': { added_tokens: [] },
  'an added token looked for when normalized': { added_tokens: [token('<Mill>', { normalized: true })] },
};
test.each(Object.entries(SAME))('words are independent with %s', (_name, changes) => {
  expect(wordRules({ ...BERT, ...changes })).toBeDefined();
});

const OTHER: Record<string, TokenizerJson> = {
  'another model': { model: { type: 'BPE' } },
  'a model without a type': { model: {} },
  'another pre-tokenizer': { pre_tokenizer: { type: 'Metaspace' } },
  'no pre-tokenizer': { pre_tokenizer: null },
  'another normalizer': { normalizer: { type: 'Sequence' } },
  'a post-processor that moves offsets by where they stand': {
    post_processor: { type: 'RobertaProcessing', trim_offsets: true, add_prefix_space: true },
  },
  'a post-processor for bytes': { post_processor: { type: 'ByteLevel' } },
  'a template that says everything twice': {
    post_processor: { type: 'TemplateProcessing', single: [{ Sequence: {} }, { Sequence: {} }] },
  },
  'an added token of two words': { added_tokens: [token('mill wheel')] },
  'a normalized added token that is not ASCII': { added_tokens: [token('é', { normalized: true })] },
  'a normalized added token that takes the space beside it': {
    added_tokens: [token('<mask>', { normalized: true, lstrip: true })],
  },
};
test.each(Object.entries(OTHER))('words are not said to be independent with %s', (_name, changes) => {
  expect(wordRules({ ...BERT, ...changes })).toBeUndefined();
});

test('a word ends at a space and beside punctuation or a Chinese character', () => {
  const { units } = wordRules(BERT)!;
  const kindOf = (character: string) => units[character.charCodeAt(0)];
  for (const character of 'azAZ09é\u00a0\u000b\u000c\u0085—\ud83d')
    expect(kindOf(character)).toBe(UNIT.inWord);
  for (const character of ' \t\n\r') expect(kindOf(character)).toBe(UNIT.space);
  for (const character of '!/:@\\`{~_-日豈') expect(kindOf(character)).toBe(UNIT.alone);
  expect(kindOf('[')).toBe(UNIT.added);
  expect(wordRules({ ...BERT, normalizer: null })!.units['日'.charCodeAt(0)]).toBe(UNIT.inWord);
});

test('an added token that takes the space beside it makes its texts exceptions', () => {
  for (const flag of ['lstrip', 'rstrip', 'single_word']) {
    const added_tokens = [token('[SEP]'), token('<mask>', { [flag]: true })];
    expect(wordRules({ ...BERT, added_tokens })?.reaching).toEqual(['<mask>']);
  }
});
