import type { ModelEntryInput } from '../entry.ts';
import { BERT_TOKENIZER, MINILM } from './shared-facts.ts';

/** The query prefix of the bge and mxbai English models. */
const SEARCH_PASSAGES = 'Represent this sentence for searching relevant passages: ';

/** Dense English models from the hub. */
export const ENGLISH: readonly ModelEntryInput[] = [
  {
    ...MINILM,
    name: 'all-MiniLM-L6-v2-fp32',
    model: {
      path: 'onnx/model.onnx',
      sha256: '6fd5d72fe4589f189f8ebc006442dbb529bb7ce38f8082112682524616046452',
      bytes: 90_405_214,
    },
    source: {
      kind: 'hub',
      repository: 'sentence-transformers/all-MiniLM-L6-v2',
      revision: '1110a243fdf4706b3f48f1d95db1a4f5529b4d41',
    },
  },
  {
    name: 'bge-small-en-v1.5',
    languages: ['en'],
    dims: 384,
    pooling: 'cls',
    maxTokens: 512,
    queryPrefix: SEARCH_PASSAGES,
    model: {
      path: 'onnx/model.onnx',
      sha256: '828e1496d7fabb79cfa4dcd84fa38625c0d3d21da474a00f08db0f559940cf35',
      bytes: 133_093_490,
    },
    tokenizer: BERT_TOKENIZER,
    source: {
      kind: 'hub',
      repository: 'BAAI/bge-small-en-v1.5',
      revision: '5c38ec7c405ec4b44b94cc5a9bb96e735b38267a',
    },
    license: 'mit',
  },
  {
    name: 'bge-base-en-v1.5',
    languages: ['en'],
    dims: 768,
    pooling: 'cls',
    maxTokens: 512,
    queryPrefix: SEARCH_PASSAGES,
    model: {
      path: 'onnx/model.onnx',
      sha256: '9bc579acdba21c253c62a9bf866891355a63ffa3442b52c8a37d75b2ccb91848',
    },
    tokenizer: BERT_TOKENIZER,
    source: {
      kind: 'hub',
      repository: 'BAAI/bge-base-en-v1.5',
      revision: 'a5beb1e3e68b9ab74eb54cfd186867f64f240e1a',
    },
    license: 'mit',
  },
  {
    name: 'bge-large-en-v1.5',
    languages: ['en'],
    dims: 1024,
    pooling: 'cls',
    maxTokens: 512,
    queryPrefix: SEARCH_PASSAGES,
    model: {
      path: 'onnx/model.onnx',
      sha256: '69ed3f810d3b6d13f70dff9ca89966f39c0a0e877fb88211be7bcc070df2a2ce',
      bytes: 1_336_854_281,
    },
    tokenizer: BERT_TOKENIZER,
    source: {
      kind: 'hub',
      repository: 'BAAI/bge-large-en-v1.5',
      revision: 'd4aa6901d3a41ba39fb536a557fa166f842b0e09',
    },
    license: 'mit',
  },
  {
    name: 'mxbai-embed-large-v1',
    languages: ['en'],
    dims: 1024,
    pooling: 'cls',
    maxTokens: 512,
    queryPrefix: SEARCH_PASSAGES,
    model: {
      path: 'onnx/model.onnx',
      sha256: 'adb53ed475faa339bfad3bd2bdb7e6a30b4f47280ade9811f81bef7953f9ab77',
      bytes: 1_336_854_282,
    },
    tokenizer: { path: 'tokenizer.json' },
    source: {
      kind: 'hub',
      repository: 'mixedbread-ai/mxbai-embed-large-v1',
      revision: 'b33106f585b9ce46904ad7443a3b52b7a63e231c',
    },
    license: 'apache-2.0',
  },
  {
    name: 'nomic-embed-text-v1.5',
    languages: ['en'],
    dims: 768,
    pooling: 'mean',
    // Another rotary scaling extends it to 8,192, but it was trained on and exported with 2,048.
    maxTokens: 2048,
    queryPrefix: 'search_query: ',
    documentPrefix: 'search_document: ',
    model: {
      path: 'onnx/model.onnx',
      sha256: '147d5aa88c2101237358e17796cf3a227cead1ec304ec34b465bb08e9d952965',
      bytes: 547_310_275,
    },
    tokenizer: BERT_TOKENIZER,
    source: {
      kind: 'hub',
      repository: 'nomic-ai/nomic-embed-text-v1.5',
      revision: 'e9b6763023c676ca8431644204f50c2b100d9aab',
    },
    license: 'apache-2.0',
    // Its model card layer-normalises a vector before truncating it.
    matryoshka: [512, 256, 128, 64],
  },
  {
    name: 'gte-modernbert-base',
    languages: ['en'],
    dims: 768,
    pooling: 'cls',
    maxTokens: 8192,
    padTokenId: 50_283,
    model: {
      path: 'onnx/model.onnx',
      sha256: '947f31df7effaeec4edb57c50e4ed7e0f2034d9336063f92615b92e3e0d24d78',
      bytes: 596_392_315,
    },
    tokenizer: {
      path: 'tokenizer.json',
      sha256: '6c8aaa9a542084f2457eab775d4eeb51f92a70c0fd9de28d5edb0ddec3c08d30',
      bytes: 3_583_228,
    },
    source: {
      kind: 'hub',
      repository: 'Alibaba-NLP/gte-modernbert-base',
      revision: 'e7f32e3c00f91d699e8c43b53106206bcc72bb22',
    },
    license: 'apache-2.0',
  },
  {
    name: 'clip-vit-base-patch32',
    languages: ['en'],
    dims: 512,
    // Its text tower itself pools at the end token.
    pooling: 'cls',
    maxTokens: 77,
    padTokenId: 49_407,
    model: {
      path: 'onnx/text_model.onnx',
      sha256: '3f6571f5bad13a97c469c1622e1cfc4d9aef78b79fdbfcff804ca357bfada8cc',
      bytes: 254_058_553,
    },
    tokenizer: {
      path: 'tokenizer.json',
      sha256: 'f7f3b7af117d467b58374797691a6438d3e6b9e9cef800dfd5dced7f697a90cd',
      bytes: 2_224_119,
    },
    vision: {
      model: {
        path: 'onnx/vision_model.onnx',
        sha256: 'fd6e1402a588279d1723c7534d4bcba5bc0b14b47dfab0e46f8c47b8270d7d40',
        bytes: 351_685_709,
      },
      size: 224,
      mean: [0.48145466, 0.4578275, 0.40821073],
      std: [0.26862954, 0.26130258, 0.27577711],
    },
    source: {
      kind: 'hub',
      repository: 'Xenova/clip-vit-base-patch32',
      revision: 'd15189d7028b43f1d3e65039190477f6af591c2a',
    },
    license: 'mit',
  },
];
