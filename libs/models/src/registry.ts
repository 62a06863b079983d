import { modelEntrySchema, type ModelEntry, type ModelEntryInput } from './entry.ts';

/** The query prefix of the bge and mxbai English models. */
const SEARCH_PASSAGES = 'Represent this sentence for searching relevant passages: ';

/** BERT's uncased English tokenizer, byte for byte the same in several repositories. */
const BERT_TOKENIZER = {
  path: 'tokenizer.json',
  sha256: 'd241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66',
  bytes: 711_396,
};

const MINILM = {
  dims: 384,
  pooling: 'mean',
  maxTokens: 256,
  tokenizer: {
    path: 'tokenizer.json',
    sha256: 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
    bytes: 466_247,
  },
  license: 'apache-2.0',
} as const;

/**
 * The models that need no further word. Only entries whose commit and digests are published in more than one
 * place stand here; any other model is added by the user, in models.json of the models folder (see `models.ts`),
 * where a commit is required and digests are optional.
 */
const ENTRIES: ModelEntryInput[] = [
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
    // A static embedding has no limit of its own: its vector is a sum over tokens.
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
    name: 'multilingual-e5-small-int8',
    dims: 384,
    pooling: 'mean',
    maxTokens: 512,
    queryPrefix: 'query: ',
    documentPrefix: 'passage: ',
    padTokenId: 1,
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
    license: 'mit',
  },
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
    dims: 768,
    pooling: 'mean',
    // It can be stretched to 8,192 by another rotary scaling; it was trained on, and is exported with, 2,048.
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
    // Its card layer-normalises a vector before cutting it to one of the smaller sizes.
    matryoshka: [512, 256, 128, 64],
  },
  {
    name: 'multilingual-e5-small',
    dims: 384,
    pooling: 'mean',
    maxTokens: 512,
    queryPrefix: 'query: ',
    documentPrefix: 'passage: ',
    padTokenId: 1,
    model: {
      path: 'onnx/model.onnx',
      sha256: 'ca456c06b3a9505ddfd9131408916dd79290368331e7d76bb621f1cba6bc8665',
      bytes: 470_268_510,
    },
    tokenizer: {
      path: 'onnx/tokenizer.json',
      sha256: '0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39',
      bytes: 17_082_730,
    },
    source: {
      kind: 'hub',
      repository: 'intfloat/multilingual-e5-small',
      revision: '614241f622f53c4eeff9890bdc4f31cfecc418b3',
    },
    license: 'mit',
  },
  {
    name: 'bge-m3',
    dims: 1024,
    pooling: 'cls',
    maxTokens: 8192,
    padTokenId: 1,
    model: {
      path: 'onnx/model.onnx',
      sha256: 'f84251230831afb359ab26d9fd37d5936d4d9bb5d1d5410e66442f630f24435b',
      bytes: 724_923,
    },
    data: [
      {
        path: 'onnx/model.onnx_data',
        sha256: '1eebfb28493f67bba03ce0ef64bfdc7fc5a3bd9d7493f818bb1d78cd798416b4',
        bytes: 2_266_820_608,
      },
      {
        path: 'onnx/Constant_7_attr__value',
        sha256: 'cdf16f72c5d07b36484056e601ed9687f78477e5d85cee85a34f2406b7fb5906',
        bytes: 65_552,
      },
    ],
    tokenizer: {
      path: 'tokenizer.json',
      sha256: '21106b6d7dab2952c1d496fb21d5dc9db75c28ed361a05f5020bbba27810dd08',
      bytes: 17_098_108,
    },
    source: {
      kind: 'hub',
      repository: 'BAAI/bge-m3',
      revision: '5617a9f61b028005a4858fdac845db406aefb181',
    },
    license: 'mit',
  },
  {
    name: 'clip-vit-base-patch32',
    dims: 512,
    // Its text tower pools by itself, at the end token.
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
  {
    name: 'splade-pp-en-v1',
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
    kind: 'reranker',
    dims: 1,
    // It has positions for 8,192; its makers' own code cuts pairs at 512 unless told otherwise.
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

/** The entries that come with embedmill. */
export const REGISTRY: readonly ModelEntry[] = ENTRIES.map((entry) => modelEntrySchema.parse(entry));

/** Folders of the models folder that hold a registry entry's files under another name than its own. */
export const FOLDER_OF: ReadonlyMap<string, string> = new Map([
  ['all-MiniLM-L6-v2-fp32', 'all-MiniLM-L6-v2'],
]);
