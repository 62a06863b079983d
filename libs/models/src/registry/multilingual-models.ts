import type { ModelEntryInput } from '../entry.ts';
import { JINA_V3, MULTILINGUAL_E5, XLM_ROBERTA_TOKENIZER } from './shared-facts.ts';

/** Dense multilingual models from the hub. */
export const MULTILINGUAL: readonly ModelEntryInput[] = [
  {
    ...MULTILINGUAL_E5,
    name: 'multilingual-e5-small',
    dims: 384,
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
  },
  {
    ...MULTILINGUAL_E5,
    name: 'multilingual-e5-base',
    dims: 768,
    model: {
      path: 'onnx/model.onnx',
      sha256: '84a4d426f7e87a6bf5bf195f0bae2c4a7d15f675b23ca96f42fab8326d7a77aa',
      bytes: 1_110_059_084,
    },
    tokenizer: {
      path: 'tokenizer.json',
      sha256: '62c24cdc13d4c9952d63718d6c9fa4c287974249e16b7ade6d5a85e7bbb75626',
      bytes: 17_082_660,
    },
    source: {
      kind: 'hub',
      repository: 'intfloat/multilingual-e5-base',
      revision: 'd128750597153bb5987e10b1c3493a34e5a4502a',
    },
  },
  {
    ...MULTILINGUAL_E5,
    name: 'multilingual-e5-large',
    dims: 1024,
    model: {
      path: 'model.onnx',
      sha256: '1c09780c907c8a91a77a6ab1fd231f79e090d2907ca431223703dfebeed3d36c',
      bytes: 545_851,
    },
    data: [
      {
        path: 'model.onnx_data',
        sha256: '0cf1883fee81c63819a44e2ba0efa51d4043d9759685a4ebebbde97e0623d15c',
        bytes: 2_235_363_328,
      },
    ],
    tokenizer: XLM_ROBERTA_TOKENIZER,
    // A third party's export of intfloat's weights, because its digests are published in several places.
    source: {
      kind: 'hub',
      repository: 'Qdrant/multilingual-e5-large-onnx',
      revision: 'ac6781cd1cf88b8306a536d7c9d18a5bd57cc14b',
    },
  },
  {
    name: 'bge-m3',
    languages: ['mul'],
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
    lexical: {
      weights: {
        path: 'sparse_linear.pt',
        sha256: '45c93804d2142b8f6d7ec6914ae23a1eee9c6a1d27d83d908a20d2afb3595ad9',
        bytes: 3516,
      },
    },
    tokenVectors: {
      weights: {
        path: 'colbert_linear.pt',
        sha256: '19bfbae397c2b7524158c919d0e9b19393c5639d098f0a66932c91ed8f5f9abb',
        bytes: 2_100_674,
      },
    },
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
    name: 'snowflake-arctic-embed-m-v2.0',
    languages: ['mul'],
    dims: 768,
    pooling: 'cls',
    maxTokens: 8192,
    queryPrefix: 'query: ',
    padTokenId: 1,
    model: {
      path: 'onnx/model.onnx',
      sha256: 'c0c53d7f49a2db60761b92b7bbf5be87a7b3cf5d92dbbd7f1b5028bd5a40aa39',
      bytes: 1_226_099_913,
    },
    tokenizer: {
      path: 'tokenizer.json',
      sha256: 'f1cc44ad7faaeec47241864835473fd5403f2da94673f3f764a77ebcb0a803ec',
      bytes: 17_083_009,
    },
    source: {
      kind: 'hub',
      repository: 'Snowflake/snowflake-arctic-embed-m-v2.0',
      revision: '95c2741480856aa9666782eb4afe11959938017f',
    },
    license: 'apache-2.0',
    matryoshka: [256],
  },
  {
    name: 'Qwen3-Embedding-0.6B',
    languages: ['mul'],
    dims: 1024,
    pooling: 'last',
    // Trained with padding on the left. Attention is causal, so padding on the right gives the same result.
    padding: 'right',
    maxTokens: 32_768,
    queryPrefix:
      'Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:',
    instructionPrefix: 'Instruct: {instruction}\nQuery:',
    padTokenId: 151_643,
    model: {
      path: 'onnx/model.onnx',
      sha256: 'bf27b2f3f9ef9c32ca337d75b361fa99439deaeaefe82e4701b2dbd8439197cc',
      bytes: 307_161_415,
    },
    data: [
      {
        path: 'onnx/model.onnx_data',
        sha256: 'f0a61604465929a27e68aa6217c8c89ec6186572f0209fdb7711adda48a9b9a9',
        bytes: 2_093_436_928,
      },
    ],
    tokenizer: {
      path: 'tokenizer.json',
      sha256: 'def76fb086971c7867b829c23a26261e38d9d74e02139253b38aeb9df8b4b50a',
      bytes: 11_423_705,
    },
    source: {
      kind: 'hub',
      repository: 'onnx-community/Qwen3-Embedding-0.6B-ONNX',
      revision: 'c25a394dd583836952667c12f008335071b3f43d',
    },
    license: 'apache-2.0',
    matryoshka: [768, 512, 256, 128, 64, 32],
  },
  {
    name: 'embeddinggemma-300m',
    languages: ['mul'],
    dims: 768,
    // Its mean passes through two Dense modules, which are in the graph.
    pooling: 'graph',
    maxTokens: 2048,
    queryPrefix: 'task: search result | query: ',
    documentPrefix: 'title: none | text: ',
    prompts: {
      Clustering: 'task: clustering | query: ',
      Classification: 'task: classification | query: ',
      InstructionRetrieval: 'task: code retrieval | query: ',
      STS: 'task: sentence similarity | query: ',
      Summarization: 'task: summarization | query: ',
    },
    instructionPrefix: 'task: {instruction} | query: ',
    model: {
      path: 'onnx/model.onnx',
      sha256: 'ea91fd315a7c152d427d231746f0f811a1ac93beaba656abfdf2b24e091265e4',
      bytes: 479_932,
    },
    data: [
      {
        path: 'onnx/model.onnx_data',
        sha256: 'ef835ae565d8695236652475903078e8ed794c7c35faf1164d78ec3238e8a88d',
        bytes: 1_234_521_088,
      },
    ],
    tokenizer: {
      path: 'tokenizer.json',
      sha256: '4dda02faaf32bc91031dc8c88457ac272b00c1016cc679757d1c441b248b9c47',
      bytes: 20_323_312,
    },
    source: {
      kind: 'hub',
      repository: 'onnx-community/embeddinggemma-300m-ONNX',
      revision: '5090578d9565bb06545b4552f76e6bc2c93e4a66',
    },
    license: 'gemma',
    matryoshka: [512, 256, 128],
  },
  {
    ...JINA_V3,
    name: 'jina-embeddings-v3',
    queryPrefix: 'Represent the query for retrieving evidence documents: ',
    documentPrefix: 'Represent the document for retrieval: ',
    prompts: {
      'retrieval.query': 'Represent the query for retrieving evidence documents: ',
      'retrieval.passage': 'Represent the document for retrieval: ',
    },
    adapters: { input: 'task_id', query: 0, document: 1 },
  },
  {
    ...JINA_V3,
    name: 'jina-embeddings-v3-separation',
    adapters: { input: 'task_id', query: 2, document: 2 },
  },
  {
    ...JINA_V3,
    name: 'jina-embeddings-v3-classification',
    adapters: { input: 'task_id', query: 3, document: 3 },
  },
  {
    ...JINA_V3,
    name: 'jina-embeddings-v3-text-matching',
    adapters: { input: 'task_id', query: 4, document: 4 },
  },
  {
    name: 'jina-embeddings-v5-text-nano-retrieval',
    languages: ['mul'],
    dims: 768,
    pooling: 'last',
    maxTokens: 8192,
    queryPrefix: 'Query: ',
    documentPrefix: 'Document: ',
    model: {
      path: 'onnx/model_quantized.onnx',
      sha256: 'ac93a7417c216e5076e37da2b3599f7ef16513934098a477680440c09f735a08',
      bytes: 131_365,
    },
    data: [
      {
        path: 'onnx/model_quantized.onnx_data',
        sha256: 'ee7870eb143a7353be08b33f79992a51de3e32b41f684ccd82953a710c2f2f9c',
        bytes: 247_006_208,
      },
    ],
    tokenizer: {
      path: 'tokenizer.json',
      sha256: '98d4a1d32152d6cedf85b5e88f3b205106dca1fe72aaab34e0ac13c238421069',
      bytes: 17_210_235,
    },
    batchInvariant: false,
    source: {
      kind: 'hub',
      repository: 'jinaai/jina-embeddings-v5-text-nano-retrieval',
      revision: 'ac5d898c8d382b17167c33e5c8af644a3519b47d',
    },
    license: 'cc-by-nc-4.0',
    matryoshka: [512, 256, 128, 64, 32],
  },
];
