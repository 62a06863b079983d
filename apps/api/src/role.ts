import { z } from 'zod';
import { ROLES, type Role } from '@embedmill/jobs';
import { refusedField } from './problem.ts';

/**
 * What clients call the two roles: OpenAI's kin and Voyage say query and document, Cohere search_query and
 * search_document, NVIDIA and the e5 models passage; sentence-transformers and TEI have them as names of prompts.
 */
const ROLE_OF: Readonly<Record<string, Role>> = {
  query: 'query',
  search_query: 'query',
  document: 'document',
  search_document: 'document',
  passage: 'document',
};
const NAMES = Object.keys(ROLE_OF).join(', ');

/** Fields of requests that name a role. */
export const roleFields = {
  input_type: z
    .string()
    .optional()
    .meta({
      description: `What the texts are to the model, queries or documents: ${NAMES}. Documents by default.`,
    }),
};
export const promptField = {
  prompt_name: z
    .string()
    .optional()
    .meta({ description: `As input_type, in TEI’s word: ${NAMES}.` }),
};

/** What a request says of its texts' role. */
export interface RoleRequest {
  model?: string | undefined;
  input_type?: string | undefined;
  prompt_name?: string | undefined;
}

/** The model's name without a role behind it, as in `bge-small-en-v1.5:query`, and that role. */
export function modelAndRole(name: string): { name: string; role: Role | undefined } {
  const role = ROLES.find((one) => name.endsWith(`:${one}`));
  return role === undefined ? { name, role } : { name: name.slice(0, -role.length - 1), role };
}

/** The role that a request names, in one way or several. Errors: `invalid_request` with the path. */
export function roleOf({ model = '', input_type, prompt_name }: RoleRequest): Role {
  const said = { model: modelAndRole(model).role, input_type, prompt_name };
  let found: { role: Role; path: string } | undefined;
  for (const [path, name] of Object.entries(said)) {
    if (name === undefined) continue;
    const role = Object.hasOwn(ROLE_OF, name) ? ROLE_OF[name] : undefined;
    if (role === undefined)
      throw refusedField(path, `the model has no ${JSON.stringify(name.slice(0, 100))}; it has ${NAMES}`);
    if (found !== undefined && found.role !== role)
      throw refusedField(
        path,
        `it says ${role}, but ${found.path} says ${found.role}; leave one of them out`,
      );
    found ??= { role, path };
  }
  return found?.role ?? 'document';
}
