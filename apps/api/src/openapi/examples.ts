/** A request that works, in the order of its walk: a test sends what the description shows of it. */
export interface RequestExample {
  /** In the path, the query or the headers, by name. */
  parameters?: Record<string, string>;
  /** By media type. */
  body?: Record<string, unknown>;
  /** Requirements beyond one machine with the bundled models. */
  needs?: string;
}

/** Ids from the server, which users replace by their own. */
export const GIVEN_IDS = {
  job: 'job_mb3k2x1a00q1w2e3r4',
  file: 'file-0123456789abcdef01234567',
  batch: 'batch_0123456789abcdef01234567',
  dataset: 'dataset-0123456789abcdef01234567',
  upload: 'upload_0123456789abcdef01234567',
  part: 'part_0123456789abcdef01234567',
} as const;

const NAME = { name: 'books' };
const JOB = { id: GIVEN_IDS.job };
const FILE = { id: GIVEN_IDS.file };
const BATCH = { id: GIVEN_IDS.batch };
const DATASET = { id: GIVEN_IDS.dataset };
const UPLOAD = { id: GIVEN_IDS.upload };
const SOURCE = { name: 'books', id: 'catalogue' };
const MODEL = 'all-MiniLM-L6-v2';
const TEXTS = ['a whale and a captain', 'a clerk who would prefer not to'];
const RERANKED = { query: 'the sea', documents: TEXTS };

const BOOKS = [
  {
    id: 'moby-dick',
    text: 'Call me Ishmael. Some years ago, having little or no money in my purse, I thought I would sail about a little and see the watery part of the world.',
    title: 'Moby-Dick',
    metadata: { year: 1851 },
  },
  {
    id: 'walden',
    text: 'I went to the woods because I wished to live deliberately, to front only the essential facts of life.',
    title: 'Walden',
    metadata: { year: 1854 },
  },
];
const BATCH_LINE = {
  custom_id: 'first',
  method: 'POST',
  url: '/v1/embeddings',
  body: { model: MODEL, input: TEXTS[0] },
};

const BATCH_LINES = `${JSON.stringify(BATCH_LINE)}\n`;

const json = (value: unknown) => ({ 'application/json': value });

/**
 * An example of each operation that takes something. They are in an order in which they work one after the other, on a
 * server that has no collections.
 */
export const EXAMPLES: Readonly<Record<string, RequestExample>> = {
  'POST /api/v1/collections': {
    body: json({ name: 'books', profile: { filterable: { year: 'integer' }, sparse: { bm25: {} } } }),
  },
  'GET /api/v1/collections/{name}': { parameters: NAME },
  'POST /api/v1/collections/{name}/jobs': {
    parameters: NAME,
    body: {
      'application/x-ndjson': BOOKS.map((book) => `${JSON.stringify(book)}\n`).join(''),
      'text/csv': 'id,text,title\nbartleby,I would prefer not to.,"Bartleby, the Scrivener"\n',
      'application/json': { documents: BOOKS },
    },
  },
  'POST /api/v1/collections/{name}/filterable': {
    parameters: NAME,
    body: json({ field: 'language', type: 'keyword' }),
  },
  'GET /api/v1/jobs': { parameters: { collection: 'books' } },
  'GET /api/v1/jobs/{id}': { parameters: JOB },
  'GET /api/v1/jobs/{id}/events': { parameters: JOB },
  'GET /api/v1/jobs/{id}/details': { parameters: JOB },
  'GET /api/v1/jobs/{id}/failures': { parameters: JOB },
  'GET /api/v1/jobs/{id}/failure-reasons': { parameters: JOB },
  'GET /api/v1/jobs/{id}/log': { parameters: JOB },
  'GET /api/v1/jobs/{id}/warnings': { parameters: JOB },
  'GET /api/v1/jobs/{id}/webhook-deliveries': { parameters: JOB },
  'POST /api/v1/jobs/{id}/verify': {
    parameters: JOB,
    needs: 'a job with failures, or a job whose source still exists',
  },

  'POST /api/v1/collections/{name}/map': { parameters: NAME, body: json({ fields: ['year'] }) },
  'GET /api/v1/collections/{name}/map': { parameters: NAME },
  'GET /api/v1/collections/{name}/map/points': { parameters: NAME, needs: 'a computed map' },

  'POST /api/v1/collections/{name}/search': {
    parameters: NAME,
    body: json({ query: 'life at sea', limit: 3, filter: { field: 'year', lt: 1900 } }),
  },
  'POST /api/v1/collections/{name}/recommend': {
    parameters: NAME,
    body: json({ positive: [{ id: 'moby-dick' }], negative: [{ text: 'an office' }], limit: 3 }),
  },
  'POST /api/v1/collections/{name}/near-duplicates': { parameters: NAME, body: json({ threshold: 0.9 }) },
  'GET /api/v1/collections/{name}/documents/{id}': { parameters: { ...NAME, id: 'moby-dick' } },
  'GET /api/v1/collections/{name}/documents': {
    parameters: { ...NAME, filter: '{"field":"year","gte":1900}', limit: '10' },
  },
  'GET /api/v1/collections/{name}/points': { parameters: { ...NAME, limit: '10' } },

  'PUT /api/v1/aliases/{name}': { parameters: { name: 'library' }, body: json({ collection: 'books' }) },
  'POST /api/v1/collections/{name}/migration': {
    parameters: NAME,
    body: json({
      into: 'books-by-sentence',
      profile: { chunking: { mode: 'tokens', size: 32, overlap: 0 } },
    }),
  },
  'POST /api/v1/collections/{name}/migration/exchange': { parameters: NAME },
  'DELETE /api/v1/aliases/{name}': { parameters: { name: 'library' } },
  'DELETE /api/v1/collections/{name}/migration': { parameters: NAME },

  'PUT /api/v1/collections/{name}/sources/{id}': {
    parameters: SOURCE,
    body: json({ files: ['catalogue'], schedule: { every: '1d' } }),
    needs: 'a folder that the server may read (EMBEDMILL_API_SOURCE_DIR)',
  },
  'GET /api/v1/collections/{name}/sources': { parameters: NAME },
  'GET /api/v1/collections/{name}/sources/{id}': { parameters: SOURCE },
  'POST /api/v1/collections/{name}/sources/{id}/run': { parameters: SOURCE },
  'DELETE /api/v1/collections/{name}/sources/{id}': { parameters: SOURCE },

  'POST /api/v1/collections/{name}/exports': { parameters: NAME, body: json({ format: 'ndjson' }) },
  'GET /api/v1/jobs/{id}/output': { parameters: JOB },
  'POST /api/v1/jobs': { body: json({ output: { format: 'ndjson' }, documents: BOOKS }) },
  'DELETE /api/v1/jobs/{id}': { parameters: JOB },
  'GET /api/v1/usage': { parameters: { groupBy: 'collection,model' } },
  'GET /api/v1/backlog': { parameters: { model: MODEL } },

  'POST /v1/files': {
    body: { 'multipart/form-data': { file: BATCH_LINES, purpose: 'batch' } },
  },
  'POST /v1/uploads': {
    body: json({
      filename: 'lines.jsonl',
      purpose: 'batch',
      bytes: BATCH_LINES.length,
      mime_type: 'application/jsonl',
    }),
  },
  'POST /v1/uploads/{id}/parts': {
    parameters: UPLOAD,
    body: { 'multipart/form-data': { data: BATCH_LINES } },
  },
  'GET /v1/uploads/{id}': { parameters: UPLOAD },
  'POST /v1/uploads/{id}/complete': { parameters: UPLOAD, body: json({ part_ids: [GIVEN_IDS.part] }) },
  'POST /v1/uploads/{id}/cancel': { parameters: UPLOAD, needs: 'an upload that is not completed' },
  'GET /v1/files/{id}': { parameters: FILE },
  'GET /v1/files/{id}/content': { parameters: FILE },
  'POST /v1/datasets': {
    parameters: { name: 'books', type: 'embed-input' },
    body: { 'multipart/form-data': { data: TEXTS.map((text) => `${JSON.stringify({ text })}\n`).join('') } },
  },
  'GET /v1/datasets': { parameters: { limit: '10' } },
  'GET /v1/datasets/{id}': { parameters: DATASET },
  'GET /v1/datasets/{id}/parts/0': {
    parameters: { ...DATASET, secret: '…' },
    needs: 'a finished embed job, whose dataset contains this address',
  },

  'POST /api/v1/queue/pause': {},
  'POST /api/v1/collections/{name}/documents/delete': { parameters: NAME, body: json({ ids: ['walden'] }) },
  'PATCH /api/v1/jobs/{id}': { parameters: JOB, body: json({ priority: 'urgent' }) },
  'POST /api/v1/jobs/{id}/cancel': { parameters: JOB },
  'POST /v1/batches': {
    body: json({ input_file_id: GIVEN_IDS.file, endpoint: '/v1/embeddings', completion_window: '24h' }),
  },
  'GET /v1/batches/{id}': { parameters: BATCH },
  'POST /v1/batches/{id}/cancel': { parameters: BATCH },
  'POST /v1/embed-jobs': {
    body: json({ model: MODEL, dataset_id: GIVEN_IDS.dataset, input_type: 'search_document' }),
  },
  'GET /v1/embed-jobs/{id}': { parameters: JOB },
  'POST /v1/embed-jobs/{id}/cancel': { parameters: JOB },
  'POST /api/v1/queue/resume': {},
  'DELETE /v1/files/{id}': { parameters: FILE },
  'DELETE /v1/datasets/{id}': { parameters: DATASET },
  'POST /api/v1/jobs/{id}/retry': {
    parameters: JOB,
    body: json({ codes: ['engine_crashed'] }),
    needs: 'a job with failures',
  },
  'POST /api/v1/keys': {
    body: json({ name: 'acme-app', scopes: ['submit', 'search'], tenant: 'acme' }),
    needs: 'a server that requires keys',
  },
  'DELETE /api/v1/keys/{id}': {
    parameters: { id: '0123456789ab' },
    needs: 'a key that was created through the API',
  },
  'DELETE /api/v1/collections/{name}/documents/{id}': { parameters: { ...NAME, id: 'walden' } },
  'DELETE /api/v1/collections/{name}': { parameters: NAME },

  'POST /v1/embeddings': { body: json({ model: MODEL, input: TEXTS }) },
  'POST /embeddings': { body: json({ model: MODEL, input: TEXTS }) },
  'POST /openai/deployments/{deployment}/embeddings': {
    parameters: { deployment: MODEL, 'api-version': '2024-10-21' },
    body: json({ input: TEXTS }),
  },
  'GET /v1/models/{model}': { parameters: { model: MODEL } },
  'POST /v1/embed': { body: json({ model: MODEL, texts: TEXTS, input_type: 'search_document' }) },
  'POST /v2/embed': {
    body: json({ model: MODEL, texts: TEXTS, input_type: 'search_query', embedding_types: ['float'] }),
  },
  'POST /v1/rerank': { body: json(RERANKED) },
  'POST /v2/rerank': { body: json({ ...RERANKED, top_n: 1 }) },
  'POST /rerank': { body: json({ query: 'the sea', texts: TEXTS }) },
  'POST /score': { body: json({ text_1: 'the sea', text_2: TEXTS }) },
  'POST /v1/score': { body: json({ text_1: 'the sea', text_2: TEXTS }) },
  'POST /': { body: json({ inputs: TEXTS }) },
  'POST /embed': { body: json({ inputs: TEXTS }) },
  'POST /embed_all': { body: json({ inputs: TEXTS }) },
  'POST /embed_sparse': { body: json({ inputs: TEXTS }) },
  'POST /similarity': { body: json({ inputs: { source_sentence: 'the sea', sentences: TEXTS } }) },
  'POST /predict': {
    body: json({ inputs: ['the sea', 'a whale'], model: 'bge-reranker-base' }),
    needs: 'a reranker',
  },
  'POST /tokenize': { body: json({ inputs: TEXTS }) },
  'POST /decode': { body: json({ ids: [101, 1037, 13156, 102] }) },
  'GET /info': { parameters: { model: MODEL } },
  'POST /api/embed': { body: json({ model: MODEL, input: TEXTS }) },
  'POST /api/embeddings': { body: json({ model: MODEL, prompt: TEXTS[0] }) },
};
