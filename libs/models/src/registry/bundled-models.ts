import type { ModelEntryInput } from '../entry.ts';
import { MINILM, MULTILINGUAL_E5 } from './shared-facts.ts';

/** The models that come with embedmill. */
export const BUNDLED: readonly ModelEntryInput[] = [
  {
    ...MINILM,
    name: 'all-MiniLM-L6-v2',
    attentions: true,
    model: {
      path: 'model_int8.onnx',
      sha256: 'e777796ddc5ef6c5dc0877bcc57afdca8471e3dd36ff47524f960f54c85d1b43',
      bytes: 23_540_626,
    },
    source: { kind: 'bundled', folder: 'all-MiniLM-L6-v2' },
  },
  {
    ...MINILM,
    name: 'static-minilm-256',
    dims: 256,
    perToken: false,
    // A static embedding has no inherent limit: its vector is a sum over tokens.
    maxTokens: 512,
    model: {
      path: 'model.onnx',
      sha256: '9b8b3fbe1e18a6a8b273d348d0934fa1af2f8c75f88c5ad27b3ece533319004e',
      bytes: 7_936_322,
    },
    batchArea: 16_384,
    source: { kind: 'bundled', folder: 'static-minilm-256' },
  },
  {
    name: 'splade-tiny',
    languages: ['en'],
    kind: 'sparse',
    dims: 30_522,
    maxTokens: 512,
    model: {
      path: 'model.onnx',
      sha256: 'fef01e3a68f6d97aa0cc50580111b87358f9c896b531a5846f725e35eee504c7',
      bytes: 17_690_787,
    },
    tokenizer: {
      path: 'tokenizer.json',
      sha256: '91f1def9b9391fdabe028cd3f3fcc4efd34e5d1f08c3bf2de513ebb5911a1854',
      bytes: 711_649,
    },
    // A padded token takes 122 kB, in several tensors. Larger batches are no faster: 2,048 takes 1.4 GB, 512 0.5 GB.
    batchArea: 512,
    source: { kind: 'bundled', folder: 'splade-tiny' },
    license: 'mit',
  },
  {
    ...MULTILINGUAL_E5,
    name: 'multilingual-e5-small-int8',
    dims: 384,
    model: {
      path: 'model_int8.onnx',
      sha256: 'e591241de432780f47b4cccffff648c1c3d89d808bccaa0831de90166b903b23',
      bytes: 76_597_643,
    },
    tokenizer: {
      path: 'tokenizer.json.gz',
      sha256: '838a648f50be836f105954c08702451a43a6cf634ab4effc003915a485d3b0ad',
      bytes: 3_537_079,
    },
    source: { kind: 'bundled', folder: 'multilingual-e5-small-int8' },
  },
];
