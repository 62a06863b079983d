import { readFileSync } from 'node:fs';
import { Ajv, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';

/**
 * Checks requests and answers against Qdrant's own description of its API (see NOTICE.md). Test-only, and
 * stricter than Qdrant: what the description does not name is wrong, so that a misspelt field is found.
 */
const DOCUMENT = 'qdrant';
const UNSIGNED = ['uint', 'uint8', 'uint16', 'uint32', 'uint64'];

interface Operation {
  requestBody?: unknown;
  parameters?: { name: string; in: string }[];
  responses: Record<string, unknown>;
}

export class QdrantApi {
  readonly #ajv = new Ajv({ strict: false, allErrors: true });
  readonly #paths: Record<string, Record<string, Operation>>;
  readonly #compiled = new Map<string, ValidateFunction>();

  constructor() {
    const file = new URL('./openapi-1.18.json', import.meta.url);
    const document = JSON.parse(readFileSync(file, 'utf8')) as {
      paths: Record<string, Record<string, Operation>>;
    };
    this.#paths = document.paths;
    addFormats.default(this.#ajv);
    for (const format of UNSIGNED) this.#ajv.addFormat(format, true);
    this.#ajv.addSchema(asJsonSchema(document) as object, DOCUMENT);
  }

  /** The described path that a request's path is one of. */
  pathOf(pathname: string): string | undefined {
    const parts = pathname.split('/');
    return Object.keys(this.#paths).find((path) => {
      const described = path.split('/');
      return (
        described.length === parts.length &&
        described.every((part, i) => part.startsWith('{') || part === parts[i])
      );
    });
  }

  /** What is wrong with a request, by the description; nothing when it is right. */
  requestErrors(path: string, method: string, query: URLSearchParams, body: unknown): string[] {
    const operation = this.#paths[path]?.[method];
    if (operation === undefined) return [`${method} ${path} is not described`];
    const parameters = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query');
    const unknown = [...query.keys()].filter(
      (key) => !parameters.some((parameter) => parameter.name === key),
    );
    const wrong = unknown.map((key) => `the parameter ${key} is not described`);
    if (operation.requestBody === undefined)
      return body === undefined ? wrong : [...wrong, 'no body is described'];
    return [...wrong, ...this.#errors([path, method, 'requestBody'], body)];
  }

  answerErrors(path: string, method: string, status: number, body: unknown): string[] {
    const responses = this.#paths[path]?.[method]?.responses ?? {};
    const key = String(status) in responses ? String(status) : `${Math.floor(status / 100)}XX`;
    return this.#errors([path, method, 'responses', key in responses ? key : 'default'], body);
  }

  #errors(place: string[], value: unknown): string[] {
    const pointer = ['', 'paths', ...place, 'content', 'application/json', 'schema']
      .map(escapePointer)
      .join('/');
    let validate = this.#compiled.get(pointer);
    if (validate === undefined) {
      validate = this.#ajv.compile({ $ref: `${DOCUMENT}#${pointer}` });
      this.#compiled.set(pointer, validate);
    }
    if (validate(value)) return [];
    return (validate.errors ?? []).map((error) => `${error.instancePath || '/'} ${error.message ?? ''}`);
  }
}

/** OpenAPI 3.0 as JSON Schema: what may be null says so in a type, and an object has no more than it names. */
function asJsonSchema(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(asJsonSchema);
  if (typeof node !== 'object' || node === null) return node;
  const entries = Object.entries(node);
  if (entries.length === 1 && entries[0]?.[0] === 'nullable') return { type: 'null' };
  const converted = Object.fromEntries(entries.map(([key, value]) => [key, asJsonSchema(value)]));
  const isObject = converted['type'] === 'object' && 'properties' in converted;
  return isObject && !('additionalProperties' in converted)
    ? { ...converted, additionalProperties: false }
    : converted;
}

function escapePointer(part: string): string {
  return encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
}
