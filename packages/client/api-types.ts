/**
 * The types in src/api.ts, made of the API's own description: `node api-types.ts` writes the file, and a test tells when
 * it is out of date.
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import openapiTS, { astToString, COMMENT_HEADER, type OpenAPI3 } from 'openapi-typescript';
// eslint-disable-next-line @nx/enforce-module-boundaries -- not part of the generated file
import { openApiDocument } from '../../apps/api/src/openapi/openapi-document.ts';

export const API_TYPES = fileURLToPath(new URL('src/api.ts', import.meta.url));
/** embedmill's own routes. The others are for the clients of the APIs that they are compatible with. */
const OWN = /^\/api\/v1\/|^\/v1\/(embeddings|files\/\{id\}|uploads(\/.*)?)$|^\/(readyz|metrics)$/;

/** A recursive type needs its own name. */
const JSON_VALUE = `export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };`;

export async function apiTypes(): Promise<string> {
  // As plain JSON: the document that fastify has shares objects between its parts.
  const document = JSON.parse(JSON.stringify(await openApiDocument())) as OpenAPI3;
  const own = ownRoutes(document);
  // A field with a default may be left out of a request.
  const nodes = await openapiTS(own, {
    defaultNonNullable: false,
    emptyObjectsUnknown: true,
    inject: JSON_VALUE,
    transform: (_, { path }) =>
      path?.endsWith('/schemas/Json') ? ts.factory.createTypeReferenceNode('JsonValue') : undefined,
  });
  return `${COMMENT_HEADER}${astToString(nodes)}`;
}

/** The document without other routes, and without the schemas that only they refer to. */
function ownRoutes(document: OpenAPI3): OpenAPI3 {
  const paths = Object.fromEntries(Object.entries(document.paths ?? {}).filter(([path]) => OWN.test(path)));
  const all = document.components?.schemas ?? {};
  const used = new Set<string>();
  const open: unknown[] = [paths];
  while (open.length > 0) {
    for (const [, name = ''] of JSON.stringify(open.pop()).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      if (used.has(name)) continue;
      used.add(name);
      open.push(all[name]);
    }
  }
  // By name: in the document they stand as their modules were loaded.
  const schemas = Object.fromEntries(
    Object.entries(all)
      .filter(([name]) => used.has(name))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  return { ...document, paths, components: { ...document.components, schemas } };
}

if (import.meta.main) await writeFile(API_TYPES, await apiTypes());
