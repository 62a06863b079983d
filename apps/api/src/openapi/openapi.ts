import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Access } from '../access/principal.ts';
import { EXAMPLES, type RequestExample } from './examples.ts';

/** Relative to the document's own address, so that it holds below whatever path a proxy puts in front. */
const SERVERS = [{ url: './' }];

/** Where keys are set; without them, none is asked for. */
const SECURITY_SCHEMES = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description: 'A key, em_…, or a token of the issuer that the server trusts.',
  },
  apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'A key, em_….' },
} as const;

/** Describes the routes that are registered after it in OpenAPI 3.1, from the schemas that check them. */
export async function describeRoutes(server: FastifyInstance): Promise<void> {
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'embedmill',
        version: '1',
        description: 'Bulk documents in, searchable vectors out.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: { securitySchemes: SECURITY_SCHEMES },
      tags: [
        { name: 'collections', description: 'Named sets of vectors with a profile.' },
        { name: 'jobs', description: 'Bulk submissions and their outcomes.' },
        { name: 'search', description: 'Queries to a collection.' },
        { name: 'map', description: 'Two-dimensional maps of collections.' },
        { name: 'models', description: 'The model registry.' },
        { name: 'openai', description: 'Routes for OpenAI’s clients.' },
        { name: 'operations', description: 'Health and metrics.' },
        { name: 'access', description: 'Keys, sign-in and the caller’s own access.' },
      ],
    },
    transform: (route) => {
      const described = transformed(route);
      const { access = 'admin' } = route.route.config ?? {};
      return { ...described, schema: { ...described.schema, ...securityOf(access) } };
    },
    transformObject: (document) => ({
      ...withExamples(jsonSchemaTransformObject(document)),
      servers: SERVERS,
    }),
  });
}

/** Any one of the ways to send a key, with the scope that it needs. */
function securityOf(access: Access) {
  switch (access) {
    case 'open':
      return { security: [] };
    case 'any':
    case 'metrics':
      return { security: Object.keys(SECURITY_SCHEMES).map((name) => ({ [name]: [] })) };
    case 'submit':
    case 'search':
    case 'admin':
      return { security: Object.keys(SECURITY_SCHEMES).map((name) => ({ [name]: [access] })) };
  }
}

type Described = ReturnType<typeof jsonSchemaTransformObject>;

/** What the document has of an operation that examples are put into. */
interface Operation {
  description?: string;
  parameters?: { name: string; example?: string }[];
  requestBody?: {
    required?: boolean;
    content: Record<string, { example?: unknown; schema?: { anyOf?: { type?: string }[] } }>;
  };
}

function withExamples(document: Described): Described {
  const paths = document.paths as Record<string, Record<string, Operation>>;
  for (const [path, operations] of Object.entries(paths))
    for (const [method, operation] of Object.entries(operations)) {
      markOptionalBody(operation);
      const example = EXAMPLES[`${method.toUpperCase()} ${path}`];
      if (example !== undefined) showExample(operation, example);
    }
  return document;
}

/** A body that may be null is optional, because Fastify passes null for a missing one. */
function markOptionalBody({ requestBody }: Operation): void {
  const schemas = Object.values(requestBody?.content ?? {}).flatMap(({ schema }) => schema?.anyOf ?? []);
  if (requestBody !== undefined && schemas.some(({ type }) => type === 'null')) requestBody.required = false;
}

function showExample(operation: Operation, { parameters = {}, body = {}, needs }: RequestExample): void {
  const { description } = operation;
  if (needs !== undefined)
    operation.description = `${description === undefined ? '' : `${description} `}The example needs ${needs}.`;
  for (const parameter of operation.parameters ?? []) {
    const example = parameters[parameter.name];
    if (example !== undefined) parameter.example = example;
  }
  for (const [type, content] of Object.entries(operation.requestBody?.content ?? {}))
    if (type in body) content.example = body[type];
}

const transformed: NonNullable<FastifyDynamicSwaggerOptions['transform']> = (route) => {
  const { body } = route.schema ?? {};
  if (!hasContent(body)) return jsonSchemaTransform(route);
  const { schema, url } = jsonSchemaTransform({ ...route, schema: { ...route.schema, body: undefined } });
  const content = Object.entries(body.content).map(([type, one]) => [
    type,
    { schema: jsonSchemaOf(one.schema) },
  ]);
  return { schema: { ...schema, body: { content: Object.fromEntries(content) } }, url };
};

/** A body with a schema for each content type, which the type provider does not know. */
function hasContent(body: unknown): body is { content: Record<string, { schema: z.ZodType }> } {
  return typeof body === 'object' && body !== null && 'content' in body;
}

/** Schemas with a name are among the components already, so references go there. */
function jsonSchemaOf(schema: z.ZodType): unknown {
  const text = JSON.stringify(z.toJSONSchema(schema, { io: 'input' }));
  return JSON.parse(text, (key, value: unknown) => {
    if (key === '$defs' || key === '$schema') return undefined;
    if (key !== '$ref' || typeof value !== 'string') return value;
    return value.replace('#/$defs/', '#/components/schemas/');
  });
}
