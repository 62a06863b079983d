import type { ModelEntryInput } from '../entry.ts';

/** BERT's uncased English tokenizer, byte for byte the same in several repositories. */
export const BERT_TOKENIZER = {
  path: 'tokenizer.json',
  sha256: 'd241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66',
  bytes: 711_396,
};

/** What the models of multilingual-e5 have in common. */
export const MULTILINGUAL_E5 = {
  pooling: 'mean',
  maxTokens: 512,
  queryPrefix: 'query: ',
  documentPrefix: 'passage: ',
  padTokenId: 1,
  license: 'mit',
  languages: ['mul'],
} satisfies Partial<ModelEntryInput>;

/** What all files of all-MiniLM-L6-v2 have in common. */
export const MINILM = {
  dims: 384,
  pooling: 'mean',
  maxTokens: 256,
  tokenizer: {
    path: 'tokenizer.json',
    sha256: 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
    bytes: 466_247,
  },
  license: 'apache-2.0',
  languages: ['en'],
} satisfies Partial<ModelEntryInput>;
