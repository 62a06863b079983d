import type { ModelEntryInput } from '../entry.ts';
import { BERT_TOKENIZER } from './shared-facts.ts';

/** Sparse models and rerankers from the hub. */
export const SPARSE_AND_RERANKERS: readonly ModelEntryInput[] = [
  {
    name: 'splade-pp-en-v1',
    languages: ['en'],
    kind: 'sparse',
    dims: 30_522,
    maxTokens: 512,
    model: {
      path: 'onnx/model.onnx',
      sha256: '0934583a27a031a66b2e847cbc260fbbef29689e969f500436460ef5146a43f2',
      bytes: 532_126_852,
    },
    tokenizer: {
      path: 'tokenizer.json',
      sha256: '2fc687b11de0bc1b3d8348f92e3b49ef1089a621506c7661fbf3248fcd54947e',
      bytes: 711_649,
    },
    batchArea: 512,
    source: {
      kind: 'hub',
      repository: 'prithivida/Splade_PP_en_v1',
      revision: '762be6a7206e2f299182705972a65e5c46e62be2',
    },
    license: 'apache-2.0',
  },
  {
    name: 'ms-marco-MiniLM-L6-v2',
    languages: ['en'],
    kind: 'reranker',
    dims: 1,
    maxTokens: 512,
    model: {
      path: 'onnx/model.onnx',
      sha256: '5d3e70fd0c9ff14b9b5169a51e957b7a9c74897afd0a35ce4bd318150c1d4d4a',
      bytes: 91_011_230,
    },
    tokenizer: BERT_TOKENIZER,
    source: {
      kind: 'hub',
      repository: 'cross-encoder/ms-marco-MiniLM-L6-v2',
      revision: 'c5ee24cb16019beea0893ab7796b1df96625c6b8',
    },
    license: 'apache-2.0',
  },
  {
    name: 'bge-reranker-base',
    languages: ['en', 'zh'],
    kind: 'reranker',
    dims: 1,
    maxTokens: 512,
    padTokenId: 1,
    model: {
      path: 'onnx/model.onnx',
      sha256: '15b9a8c3da82eddf263df571281166e00e9308fe19d077084b642ebfcaf06d2b',
      bytes: 1_112_459_588,
    },
    tokenizer: {
      path: 'tokenizer.json',
      sha256: '9eb652ac4e40cc093272bbbe0f55d521cf67570060227109b5cdc20945a4489e',
      bytes: 17_098_107,
    },
    source: {
      kind: 'hub',
      repository: 'BAAI/bge-reranker-base',
      revision: '2cfc18c9415c912f9d8155881c133215df768a70',
    },
    license: 'mit',
  },
  {
    name: 'bge-reranker-v2-m3',
    languages: ['mul'],
    kind: 'reranker',
    dims: 1,
    // It has positions for 8,192 tokens; by default, its makers' code truncates pairs at 512.
    maxTokens: 512,
    padTokenId: 1,
    model: {
      path: 'onnx/model_quantized.onnx',
      sha256: '912fc1215c2dbff6499700534bd8d31253af01573861abbfc43afd1fab6cce5d',
      bytes: 570_727_094,
    },
    tokenizer: {
      path: 'tokenizer.json',
      sha256: '8bf8afbfd11306bd872018c53bfdf2e160a56f8edbcf49933324404791c148d3',
      bytes: 17_082_900,
    },
    batchInvariant: false,
    source: {
      kind: 'hub',
      repository: 'onnx-community/bge-reranker-v2-m3-ONNX',
      revision: '6f5ff65298512715a1e669753bc754d2bc8f367b',
    },
    license: 'apache-2.0',
  },
];
