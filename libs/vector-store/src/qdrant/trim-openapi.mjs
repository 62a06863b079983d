// Cuts Qdrant's OpenAPI description down to what QdrantStore uses, with the schemas that this needs, and without
// its prose. Usage: node trim-openapi.mjs <Qdrant's openapi.json> <output>, then prettier.
import { readFileSync, writeFileSync } from 'node:fs';

const USED = {
  '/': ['get'],
  '/aliases': ['get'],
  '/cluster': ['get'],
  '/collections': ['get'],
  '/collections/aliases': ['post'],
  '/collections/{collection_name}/aliases': ['get'],
  '/collections/{collection_name}': ['get', 'put', 'patch', 'delete'],
  '/collections/{collection_name}/facet': ['post'],
  '/collections/{collection_name}/index': ['put'],
  '/collections/{collection_name}/shards': ['get', 'put'],
  '/collections/{collection_name}/vectors/{vector_name}': ['put', 'delete'],
  '/collections/{collection_name}/points': ['post', 'put'],
  '/collections/{collection_name}/points/scroll': ['post'],
  '/collections/{collection_name}/points/vectors': ['put'],
  '/collections/{collection_name}/points/payload': ['post', 'put'],
  '/collections/{collection_name}/points/batch': ['post'],
  '/collections/{collection_name}/points/delete': ['post'],
  '/collections/{collection_name}/points/count': ['post'],
  '/collections/{collection_name}/points/query': ['post'],
  '/collections/{collection_name}/points/query/batch': ['post'],
};

const [input, output] = process.argv.slice(2);
const whole = JSON.parse(readFileSync(input, 'utf8'));
const schemas = {};

const paths = Object.fromEntries(
  Object.entries(USED).map(([path, methods]) => [
    path,
    Object.fromEntries(methods.map((method) => [method, take(whole.paths[path][method])])),
  ]),
);
const sorted = Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1)));
const { title, license, version } = whole.info;
const trimmed = {
  openapi: whole.openapi,
  info: { title, license, version },
  paths,
  components: { schemas: sorted },
};
writeFileSync(output, JSON.stringify(trimmed));

/** A copy without prose; the schemas it refers to are taken along. */
function take(node) {
  if (Array.isArray(node)) return node.map(take);
  if (typeof node !== 'object' || node === null) return node;
  if (typeof node.$ref === 'string') takeSchema(node.$ref.split('/').at(-1));
  return Object.fromEntries(
    Object.entries(node)
      .filter(([key, value]) => !(isProse(key) && typeof value === 'string') && key !== 'example')
      .map(([key, value]) => [key, take(value)]),
  );
}

function takeSchema(name) {
  if (name in schemas) return;
  schemas[name] = true;
  schemas[name] = take(whole.components.schemas[name]);
}

function isProse(key) {
  return key === 'description' || key === 'summary';
}
