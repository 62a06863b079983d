import type { ModelEntryInput } from '../entry.ts';

/** BERT's uncased English tokenizer, byte for byte the same in several repositories. */
export const BERT_TOKENIZER = {
  path: 'tokenizer.json',
  sha256: 'd241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66',
  bytes: 711_396,
};

/** XLM-RoBERTa's tokenizer, byte for byte the same in several repositories. */
export const XLM_ROBERTA_TOKENIZER = {
  path: 'tokenizer.json',
  sha256: 'f59925fcb90c92b894cb93e51bb9b4a6105c5c249fe54ce1c704420ac39b81af',
  bytes: 17_082_756,
};

/** The facts that the multilingual-e5 models share. */
export const MULTILINGUAL_E5 = {
  pooling: 'mean',
  maxTokens: 512,
  queryPrefix: 'query: ',
  documentPrefix: 'passage: ',
  padTokenId: 1,
  license: 'mit',
  languages: ['mul'],
} satisfies Partial<ModelEntryInput>;

/**
 * One file with five adapters; each has its own entry, except that the two for retrieval share one. The model's vector
 * is the mean of the graph's `text_embeds`, not its pooler output.
 */
export const JINA_V3 = {
  dims: 1024,
  pooling: 'mean',
  maxTokens: 8192,
  padTokenId: 1,
  // A single file, whose digest is published in more places than that of the float32 version.
  model: {
    path: 'onnx/model_fp16.onnx',
    sha256: '329c3ea03a1815cc98f6b97efcafb9000c6c780c2d89d40d4f541b9a88434c38',
    bytes: 1_147_151_362,
  },
  tokenizer: XLM_ROBERTA_TOKENIZER,
  source: {
    kind: 'hub',
    repository: 'jinaai/jina-embeddings-v3',
    revision: 'ab036b023d30b4d1138c4c3bfa9f0c445ab455d6',
  },
  license: 'cc-by-nc-4.0',
  languages: ['mul'],
  matryoshka: [768, 512, 256, 128, 64, 32],
} satisfies Partial<ModelEntryInput>;

/** The facts that all variants of all-MiniLM-L6-v2 share. */
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
