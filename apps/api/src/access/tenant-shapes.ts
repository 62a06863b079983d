import fc from 'fast-check';

/** Requests of every shape that might reach another tenant's data; test-only. */

export const [OWN, OTHER] = ['alpha', 'beta'] as const;
/** Ids that both tenants have, and ids that only the other one has. */
export const SHARED_IDS = ['d0', 'd1', 'd2', 'd3'];
export const OTHER_IDS = ['beta-0', 'beta-1'];

const OPENAI_EMBEDDING = { model: 'all-MiniLM-L6-v2', input: 'x' };
const TEI_EMBEDDING = { model: 'all-MiniLM-L6-v2', inputs: ['x'] };
const COHERE_RERANKING = { query: 'x', documents: ['shared words'] };
const TEI_RERANKING = { query: 'x', texts: ['shared words'] };
const TEI_SIMILARITY = { inputs: { source_sentence: 'x', sentences: ['shared words'] } };
const TEI_DECODING = { ids: [5] };
const COHERE_EMBEDDING = { model: 'all-MiniLM-L6-v2', texts: ['x'] };
const VLLM_SCORING = { text_1: 'x', text_2: ['shared words'] };
const OLLAMA_EMBEDDING = { model: 'all-MiniLM-L6-v2', input: 'x' };
const OLLAMA_PROMPT = { model: 'all-MiniLM-L6-v2', prompt: 'x' };

export interface RequestShape {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: unknown;
}

/** What requests may use: addresses of the server, and ids that belong to the other tenant. */
export interface Known {
  routes: { method: string; url: string }[];
  jobs: { own: string; others: string };
  points: string[];
  idempotencyKeys: string[];
}

const ids = [...SHARED_IDS, ...OTHER_IDS, 'alpha-0'];
const strangeTenants = fc.constantFrom<unknown>(
  ...[OTHER, OTHER, OWN, 'default', '*', '', 'Beta', `${OTHER} `, `${OWN}","${OTHER}`],
  ...[null, 0, [OTHER], [OWN, OTHER], { in: [OTHER] }, { not: OWN }],
);
const tenants = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<unknown>(undefined, OWN, 'default') },
  { weight: 2, arbitrary: strangeTenants },
);
const fields = fc.constantFrom(
  ...['tenant', 'tag', 'year', 'document_id', 'metadata.tenant', 'payload.tenant', '*', "tenant' or 1=1 --"],
);
const values = fc.constantFrom<unknown>(OTHER, OWN, 'a', 'shared', 1, 2020, true, ...ids);
const condition = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ field: fc.constantFrom('tenant', 'tag'), eq: fc.constantFrom(OTHER, 'shared') }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ field: fc.constant('document_id'), in: fc.constantFrom(ids, OTHER_IDS) }),
  },
  fc.record({ field: fields, eq: values }),
  fc.record({ field: fields, in: fc.array(values, { maxLength: 3 }) }),
  fc.record({ field: fc.constantFrom('year', 'tenant'), gte: fc.constantFrom(0, 'a') }),
);
const { filter } = fc.letrec<{ filter: unknown; group: unknown }>((tie) => ({
  filter: fc.oneof({ depthSize: 'small' }, condition, tie('group')),
  group: fc.oneof(
    fc.record({ not: tie('filter') }),
    fc.record({ or: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ and: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
  ),
}));
const maybeFilter = fc.oneof(fc.constant(undefined), filter);
const selection = {
  filter: maybeFilter,
  tenant: tenants,
  limit: fc.constantFrom(1, 10, 1000),
  group: fc.boolean(),
};
const example = fc.oneof(
  fc.record({ id: fc.constantFrom(...ids) }),
  fc.record({ text: fc.constant('shared words') }),
  fc.record({ id: fc.constantFrom(...ids), tenant: tenants }),
);
const search = fc.record(
  {
    query: fc.constant('shared words'),
    ...selection,
    mode: fc.constantFrom('dense', 'sparse', 'hybrid'),
    rerank: fc.boolean(),
    explain: fc.boolean(),
    highlight: fc.boolean(),
    offset: fc.constantFrom(0, 1, 5),
  },
  { requiredKeys: ['query'] },
);
const recommend = fc.record(
  {
    positive: fc.array(example, { minLength: 1, maxLength: 3 }),
    ...selection,
    negative: fc.array(example, { maxLength: 2 }),
    strategy: fc.constantFrom('average', 'best'),
  },
  { requiredKeys: ['positive'] },
);
const document = fc.record(
  { id: fc.constantFrom(...ids), text: fc.constant('an own text'), tenant: tenants },
  { requiredKeys: ['id', 'text'] },
);
const deletion = fc.oneof(
  fc.record({ ids: fc.constantFrom(['d1'], OTHER_IDS), tenant: tenants, dryRun: fc.boolean() }),
  fc.record({ filter, tenant: tenants, dryRun: fc.constant(true) }),
  fc.record({ filter: condition, tenant: tenants }),
);
const documents = fc.array(document, { minLength: 1, maxLength: 3 });

/** Requests to all routes, most of them nearly right. */
export function requestShapes({ routes, jobs, points, idempotencyKeys }: Known): fc.Arbitrary<RequestShape> {
  const onlyTenant = fc.record({ tenant: fc.oneof(fc.constant(OTHER), tenants) });
  const page = fc.record(
    {
      tenant: tenants,
      limit: fc.constantFrom(1, 1000),
      after: fc.constantFrom(...points),
      offset: fc.constant(0),
      collection: fc.constantFrom('docs', 'others'),
      filter: fc.constant('{}'),
    },
    { requiredKeys: [] },
  );
  const headers = fc.record(
    {
      'idempotency-key': fc.constantFrom(...idempotencyKeys),
      'x-tenant': fc.constant(OTHER),
      'x-embedmill-tenant': fc.constant(OTHER),
      'x-forwarded-user': fc.constant('admin'),
      'x-http-method-override': fc.constantFrom('GET', 'DELETE'),
    },
    { requiredKeys: [] },
  );

  const bodies = bodyShapes({ points });
  const weighted = routes.map((route) => ({ weight: weightOf(route), arbitrary: fc.constant(route) }));
  return fc.oneof(...weighted).chain(({ method, url }) =>
    fc
      .record({
        name: fc.constantFrom('docs', 'docs', 'docs', 'others', 'none', 'docs/../others'),
        id: url.includes('/jobs/') ? jobIds(method, jobs) : fc.constantFrom(...ids, `${OTHER}/d0`),
        query: fc.oneof<fc.Arbitrary<object>[]>(fc.constant({}), onlyTenant, page),
        headers: fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: headers }),
        body: bodyFor(bodies, method, url),
      })
      .map(({ name, id, query: asked, headers: sent, body }): RequestShape => {
        const parameters = parametersOf(asked);
        const filled = filledIn(url, name, id);
        const path = parameters === '' ? filled : `${filled}?${parameters}`;
        return { method, path, headers: sent as Record<string, string>, body };
      }),
  );
}

type BodyShapes = readonly (readonly [route: RegExp, body: fc.Arbitrary<unknown>])[];

/** The bodies of routes by their addresses; the first one that fits counts. */
function bodyShapes({ points }: Pick<Known, 'points'>): BodyShapes {
  const nearDuplicates = fc.record(
    {
      threshold: fc.constantFrom(0, 0.5),
      after: fc.constantFrom(...points),
      filter: maybeFilter,
      tenant: tenants,
    },
    { requiredKeys: ['threshold'] },
  );
  const ndjson = documents.map((some) => some.map((one) => `${JSON.stringify(one)}\n`).join(''));
  return [
    [/\/search$/, search],
    [/\/recommend$/, recommend],
    [/\/near-duplicates$/, nearDuplicates],
    [/\/documents\/delete$/, deletion],
    [/^\/api\/v1\/jobs$/, fc.record({ documents, output: fc.constant({ format: 'ndjson' }) })],
    [/\/jobs$/, fc.oneof(ndjson, fc.record({ documents }))],
    [/^\/rerank$/, fc.constant(TEI_RERANKING)],
    [/\/rerank$/, fc.constant(COHERE_RERANKING)],
    [/^\/similarity$/, fc.constant(TEI_SIMILARITY)],
    [/^\/decode$/, fc.constant(TEI_DECODING)],
    [/^\/api\/embed$/, fc.constant(OLLAMA_EMBEDDING)],
    [/^\/api\/embeddings$/, fc.constant(OLLAMA_PROMPT)],
    [/^\/v[12]\/embed$/, fc.constant(COHERE_EMBEDDING)],
    [/\/score$/, fc.constant(VLLM_SCORING)],
    [/\/embeddings$/, fc.constant(OPENAI_EMBEDDING)],
    [/^\/(tokenize|predict|embed.*)?$/, fc.constant(TEI_EMBEDDING)],
    [/./, fc.oneof(fc.constant(undefined), fc.record({ name: fc.constant('others'), tenant: tenants }))],
  ];
}

function bodyFor(bodies: BodyShapes, method: string, url: string): fc.Arbitrary<unknown> {
  const body = method === 'GET' ? undefined : bodies.find(([route]) => route.test(url))?.[1];
  return body ?? fc.constant(undefined);
}

/** Jobs are expensive, because all of them are run and listed; deletions leave less to read. */
function weightOf(route: Known['routes'][number]): number {
  if (isSubmission(route)) return 3;
  if (route.method === 'DELETE') return 1;
  return /search|recommend|near|documents/.test(route.url) ? 12 : 4;
}

/** The tenant's own job is never deleted: once forgotten, it could not be requested any more. */
function jobIds(method: string, { own, others }: Known['jobs']): fc.Arbitrary<string> {
  return fc.constantFrom(...(method === 'DELETE' ? [] : [own]), others, 'job_none');
}

function filledIn(url: string, name: string, id: string): string {
  return url
    .replace(':name', encodeURIComponent(name))
    .replace(':id', encodeURIComponent(id))
    .replace(':model', 'all-MiniLM-L6-v2')
    .replace(':deployment', 'all-MiniLM-L6-v2');
}

function parametersOf(asked: object): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(asked) as [string, unknown][]) {
    if (Array.isArray(value)) for (const one of value) parameters.append(key, String(one));
    else parameters.append(key, typeof value === 'object' ? JSON.stringify(value) : String(value));
  }
  return parameters.toString();
}

/** A valid request to each route that a tenant's key may use, by route; the deletions come last. */
export function exampleShapes(jobs: { own: string; spent: string }): [route: string, shape: RequestShape][] {
  const example = (route: string, path: string, body?: unknown): [string, RequestShape] => {
    const method = route.split(' ', 1)[0] ?? route;
    return [route, { method, path, headers: {}, body }];
  };
  const collection = '/api/v1/collections/docs';
  const recommendation = { positive: [{ id: 'd0' }] };
  return [
    example('GET /api/v1/collections', '/api/v1/collections'),
    example('GET /api/v1/collections/:name', collection),
    example('GET /api/v1/collections/:name/documents', `${collection}/documents`),
    example('GET /api/v1/collections/:name/points', `${collection}/points`),
    example('GET /api/v1/collections/:name/documents/:id', `${collection}/documents/d0`),
    example('POST /api/v1/collections/:name/map', `${collection}/map`, { method: 'pca' }),
    example('GET /api/v1/collections/:name/map', `${collection}/map`),
    example('POST /api/v1/collections/:name/search', `${collection}/search`, { query: 'shared words' }),
    example('POST /api/v1/collections/:name/recommend', `${collection}/recommend`, recommendation),
    example('POST /api/v1/collections/:name/near-duplicates', `${collection}/near-duplicates`, {
      threshold: 0,
    }),
    example('GET /api/v1/jobs', '/api/v1/jobs'),
    example('GET /api/v1/jobs/:id', `/api/v1/jobs/${jobs.own}`),
    example('GET /api/v1/jobs/:id/failures', `/api/v1/jobs/${jobs.own}/failures`),
    example('GET /api/v1/jobs/:id/details', `/api/v1/jobs/${jobs.own}/details`),
    example('GET /api/v1/jobs/:id/failure-reasons', `/api/v1/jobs/${jobs.own}/failure-reasons`),
    example('GET /api/v1/jobs/:id/log', `/api/v1/jobs/${jobs.own}/log`),
    example('GET /api/v1/jobs/:id/warnings', `/api/v1/jobs/${jobs.own}/warnings`),
    example('GET /api/v1/jobs/:id/webhook-deliveries', `/api/v1/jobs/${jobs.own}/webhook-deliveries`),
    example('GET /api/v1/jobs/:id/events', `/api/v1/jobs/${jobs.own}/events`),
    example('GET /v1/files', '/v1/files'),
    example('GET /v1/batches', '/v1/batches'),
    example('GET /v1/datasets', '/v1/datasets'),
    example('GET /v1/datasets/usage', '/v1/datasets/usage'),
    example('GET /v1/embed-jobs', '/v1/embed-jobs'),
    example('POST /v1/embeddings', '/v1/embeddings', OPENAI_EMBEDDING),
    example('POST /embeddings', '/embeddings', OPENAI_EMBEDDING),
    example(
      'POST /openai/deployments/:deployment/embeddings',
      '/openai/deployments/all-MiniLM-L6-v2/embeddings?api-version=2024-10-21',
      { input: 'x' },
    ),
    example('POST /v1/embed', '/v1/embed', COHERE_EMBEDDING),
    example('POST /v2/embed', '/v2/embed', COHERE_EMBEDDING),
    example('POST /embed', '/embed', TEI_EMBEDDING),
    example('POST /', '/', TEI_EMBEDDING),
    example('POST /embed_all', '/embed_all', TEI_EMBEDDING),
    example('POST /similarity', '/similarity', TEI_SIMILARITY),
    example('POST /tokenize', '/tokenize', TEI_EMBEDDING),
    example('POST /decode', '/decode', TEI_DECODING),
    example('POST /score', '/score', VLLM_SCORING),
    example('POST /v1/score', '/v1/score', VLLM_SCORING),
    example('POST /api/embed', '/api/embed', OLLAMA_EMBEDDING),
    example('POST /api/embeddings', '/api/embeddings', OLLAMA_PROMPT),
    example('POST /rerank', '/rerank', TEI_RERANKING),
    example('POST /v1/rerank', '/v1/rerank', COHERE_RERANKING),
    example('POST /v2/rerank', '/v2/rerank', COHERE_RERANKING),
    example(
      'POST /api/v1/collections/:name/jobs',
      `${collection}/jobs`,
      '{"id":"d1","text":"an own text"}\n',
    ),
    example('POST /api/v1/jobs', '/api/v1/jobs', {
      output: { format: 'ndjson' },
      documents: [{ id: 'd1', text: 'an own text' }],
    }),
    example('PUT /api/v1/collections/:name/sources/:id', `${collection}/sources/site`, {
      files: ['in'],
      schedule: { every: '1d' },
    }),
    example('GET /api/v1/collections/:name/sources', `${collection}/sources`),
    example('GET /api/v1/collections/:name/sources/:id', `${collection}/sources/site`),
    example('POST /api/v1/collections/:name/sources/:id/run', `${collection}/sources/site/run`),
    example('DELETE /api/v1/collections/:name/sources/:id', `${collection}/sources/site`),
    example('POST /api/v1/jobs/:id/retry', `/api/v1/jobs/${jobs.own}/retry`),
    example('POST /api/v1/jobs/:id/verify', `/api/v1/jobs/${jobs.own}/verify`),
    example('DELETE /api/v1/jobs/:id', `/api/v1/jobs/${jobs.spent}`),
    example('POST /api/v1/collections/:name/documents/delete', `${collection}/documents/delete`, {
      ids: ['alpha-0'],
    }),
    example('DELETE /api/v1/collections/:name/documents/:id', `${collection}/documents/alpha-0`),
  ];
}

/**
 * Routes of a tenant’s key without a valid example here, because jobs have ended and no worker exports or has SPLADE or
 * a reranker. Those of files and batches are tested in test/batches.test.ts, those of datasets and embed jobs in
 * test/embed-jobs.test.ts.
 */
export const WITHOUT_EXAMPLE: readonly string[] = [
  // Exists only after a map was computed; map.test.ts covers it.
  'GET /api/v1/collections/:name/map/points',
  'POST /api/v1/jobs/:id/cancel',
  'PATCH /api/v1/jobs/:id',
  'POST /api/v1/collections/:name/exports',
  'GET /api/v1/jobs/:id/output',
  'POST /embed_sparse',
  'POST /predict',
  'POST /v1/files',
  'GET /v1/files/:id',
  'GET /v1/files/:id/content',
  'DELETE /v1/files/:id',
  'POST /v1/uploads',
  'GET /v1/uploads/:id',
  'POST /v1/uploads/:id/parts',
  'POST /v1/uploads/:id/complete',
  'POST /v1/uploads/:id/cancel',
  'POST /v1/batches',
  'GET /v1/batches/:id',
  'POST /v1/batches/:id/cancel',
  'POST /v1/datasets',
  'GET /v1/datasets/:id',
  'DELETE /v1/datasets/:id',
  'POST /v1/embed-jobs',
  'GET /v1/embed-jobs/:id',
  'POST /v1/embed-jobs/:id/cancel',
];

const isSubmission = ({ method, url }: { method: string; url: string }) =>
  method === 'POST' && (url.endsWith('/jobs') || url.endsWith('/documents/delete'));
