import { z } from 'zod';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { Client, Filter, Hit } from '@embedmill/client';
import { answered, type Found } from './found.ts';
import { submitTexts, submittedSchema, textsSchema } from './submitted-texts.ts';

/** The most hits that an agent can read. */
const MOST_HITS = 50;

const INSTRUCTIONS =
  'embedmill stores collections of documents that can be searched by meaning. list_collections lists them; ' +
  'search finds the passages that answer a question, and fetch_document returns the whole document of a hit.';

const READS = { readOnlyHint: true, openWorldHint: false } as const;

const collection = z.string().min(1).describe('The name of a collection or alias.');
const tenant = z
  .string()
  .optional()
  .describe('The tenant of the documents, for keys that can access several tenants.');
const selection = {
  limit: z.int().min(1).max(MOST_HITS).default(10).describe('The most hits to return.'),
  filter: z
    .record(z.string(), z.unknown())
    .optional()
    .describe(
      'A condition on a filterable field, such as {"field":"year","gte":1990} or {"field":"lang","eq":"en"}; or a combination with {"and":[…]}, {"or":[…]}, {"not":…}.',
    ),
  tenant,
};
const example = z.union([
  z.strictObject({ id: z.string().describe('A document of the collection.') }),
  z.strictObject({ text: z.string() }),
]);
const hitsSchema = z.object({
  hits: z.array(
    z.object({
      id: z.string().describe('The document’s id, for fetch_document.'),
      score: z.number(),
      title: z.string().nullable(),
      text: z.string().describe('The passage.'),
      metadata: z.record(z.string(), z.unknown()),
    }),
  ),
});
const documentSchema = z.object({
  id: z.string(),
  title: z.string().nullable(),
  text: z.string(),
  metadata: z.record(z.string(), z.unknown()),
  next: z.int().optional().describe('For a long document: the chunk from which there is more.'),
});
const collectionsSchema = z.object({
  collections: z.array(
    z.object({
      name: z.string(),
      documents: z.int(),
      model: z.string(),
      filterable: z.record(z.string(), z.string()).describe('Metadata fields with their types.'),
    }),
  ),
});

/** The tools for agents: each is an API request or a job, with the client's key. */
export function mcpServer(client: Client, version: string): McpServer {
  const server = new McpServer({ name: 'embedmill', version }, { instructions: INSTRUCTIONS });

  server.registerTool(
    'list_collections',
    {
      title: 'List collections',
      description: 'Lists the collections of documents, with their sizes and filterable fields.',
      inputSchema: z.strictObject({}),
      outputSchema: collectionsSchema.shape,
      annotations: READS,
    },
    () =>
      answered(async () => {
        const collections = (await client.collections.list()).map(({ name, documents, profile }) => ({
          name,
          documents,
          model: profile.model,
          filterable: profile.filterable,
        }));
        const lines = collections.map(({ name, documents }) => `${name}: ${documents} documents`);
        return [{ collections }, lines.join('\n') || 'There are no collections.'];
      }),
  );

  server.registerTool(
    'search',
    {
      title: 'Search',
      description: 'Finds the passages of a collection that answer a question, by meaning and by words.',
      inputSchema: z.strictObject({
        collection,
        query: z.string().min(1).describe('What to search for, in words.'),
        ...selection,
      }),
      outputSchema: hitsSchema.shape,
      annotations: READS,
    },
    ({ collection: name, query, filter, ...rest }) =>
      answered(async () => {
        const request = { ...rest, query, filter: filter as Filter | undefined };
        return hitsOf((await client.search(name, request)).hits);
      }),
  );

  server.registerTool(
    'find_similar',
    {
      title: 'Find similar documents',
      description: 'Finds documents that resemble some documents or texts and not others.',
      inputSchema: z.strictObject({
        collection,
        like: z
          .array(example)
          .min(1)
          .max(16)
          .describe('Examples that hits should resemble: {"id":…} or {"text":…}.'),
        unlike: z.array(example).max(16).default([]).describe('Examples that hits should not resemble.'),
        ...selection,
      }),
      outputSchema: hitsSchema.shape,
      annotations: READS,
    },
    ({ collection: name, like, unlike, filter, ...rest }) =>
      answered(async () => {
        const request = { ...rest, positive: like, negative: unlike, filter: filter as Filter | undefined };
        return hitsOf((await client.recommend(name, request)).hits);
      }),
  );

  server.registerTool(
    'fetch_document',
    {
      title: 'Fetch a document',
      description: 'Returns a whole document by its id.',
      inputSchema: z.strictObject({
        collection,
        id: z.string().min(1).describe('The document’s id, as in hits.'),
        from: z
          .int()
          .min(0)
          .default(0)
          .describe('The chunk to begin with: the `next` of an earlier response.'),
        tenant,
      }),
      outputSchema: documentSchema.shape,
      annotations: READS,
    },
    ({ collection: name, id, from, tenant: whose }) =>
      answered(async () => {
        const found = await client.documents.get(name, id, { from, tenant: whose });
        const { title, text, metadata, next } = found;
        const more = next === undefined ? '' : `\n\n(There is more: fetch it again with "from": ${next}.)`;
        const document = { id, title, text, metadata, ...(next !== undefined && { next }) };
        return [document, `${title === null ? '' : `# ${title}\n\n`}${text}${more}`];
      }),
  );

  server.registerTool(
    'submit_texts',
    {
      title: 'Submit texts',
      description:
        'Adds documents to a collection, so that searches find them. A document with an existing id replaces the stored one.',
      inputSchema: z.strictObject({ collection, ...textsSchema.shape }),
      outputSchema: submittedSchema.shape,
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    },
    ({ collection: name, documents }, { signal }) =>
      answered(() => submitTexts(client, name, documents, signal)),
  );
  return server;
}

function hitsOf(found: readonly Hit[]): Found {
  const hits = found.map(({ id, score, title, text, metadata }) => ({ id, score, title, text, metadata }));
  const lines = hits.map(({ id, score, title, text }, n) => {
    const named = title === null ? id : `${title} (${id})`;
    return `${n + 1}. ${named}, ${score.toFixed(3)}\n${text}`;
  });
  return [{ hits }, lines.join('\n\n') || 'Nothing was found.'];
}
