import { z } from 'zod';
import { instructionSchema, ROLES, type Role } from '@embedmill/jobs';
import { INSTRUCTION_PLACE, type ModelSummary } from '@embedmill/models';
import { refusedField } from '../http/problem.ts';

/**
 * The names that clients use for the two roles. OpenAI-like APIs and Voyage say query and document, Cohere says
 * search_query and search_document, NVIDIA and the e5 models say passage; sentence-transformers and TEI use them as
 * prompt names.
 */
const ROLE_OF: Readonly<Record<string, Role>> = {
  query: 'query',
  search_query: 'query',
  document: 'document',
  search_document: 'document',
  passage: 'document',
};
const ROLE_NAMES = Object.keys(ROLE_OF);
const NAMES = ROLE_NAMES.join(', ');

/** Fields of requests that name a role. */
export const roleFields = {
  input_type: z
    .string()
    .optional()
    .meta({
      description: `The role of the texts, queries or documents: ${NAMES}. Documents by default.`,
    }),
};
export const promptFields = {
  prompt_name: z
    .string()
    .optional()
    .meta({
      description: `The same as input_type, under TEI’s name: ${NAMES}; or the name of one of the model’s prompts.`,
    }),
  instruction: instructionSchema.optional(),
};

/** The fields of a request that determine the role of its texts. */
export interface RoleRequest {
  model?: string | undefined;
  input_type?: string | undefined;
  prompt_name?: string | undefined;
  instruction?: string | undefined;
}

/** The role of the texts, and the prefix that replaces the role's own; undefined keeps the role's own. */
export interface Prompt {
  role: Role;
  prefix: string | undefined;
}

/** Splits a role off the end of a model's name, as in `bge-small-en-v1.5:query`. */
export function modelAndRole(name: string): { name: string; role: Role | undefined } {
  const role = ROLES.find((one) => name.endsWith(`:${one}`));
  return role === undefined ? { name, role } : { name: name.slice(0, -role.length - 1), role };
}

/**
 * The role that a request names, in one way or several, and the prefix that replaces the role's own. An instruction
 * makes the texts queries; a named prompt of the model implies no role. Errors: `invalid_request` with the path.
 */
export function promptOf(
  request: RoleRequest,
  model: Pick<ModelSummary, 'name' | 'prompts' | 'instructionPrefix'>,
): Prompt {
  const { prompt_name: name, instruction } = request;
  const named =
    name !== undefined && !isRole(name) ? promptNamed(model, name, 'prompt_name', ROLE_NAMES) : undefined;
  const role = roleOf({ ...request, prompt_name: named === undefined ? name : undefined });
  if (instruction === undefined) return { role: role ?? 'document', prefix: named };
  if (name !== undefined)
    throw refusedField('instruction', 'prompt_name already sets the prefix; leave one of them out');
  if (role === 'document')
    throw refusedField(
      'instruction',
      'documents take no instruction; leave it out, or mark the texts as queries',
    );
  return { role: 'query', prefix: instructed(model, instruction, 'instruction') };
}

/** The text of one of the model's named prompts. Errors: `invalid_request`, with the available names. */
export function promptNamed(
  { prompts }: Pick<ModelSummary, 'prompts'>,
  name: string,
  path: string,
  others: readonly string[] = [],
): string {
  const prefix = Object.hasOwn(prompts, name) ? prompts[name] : undefined;
  if (prefix !== undefined) return prefix;
  throw lacking(path, name, [...others, ...Object.keys(prompts)]);
}

/** The prefix of a query with this instruction. Errors: `invalid_request` if the model takes no instructions. */
export function instructed(
  { name, prompts, instructionPrefix }: Pick<ModelSummary, 'name' | 'prompts' | 'instructionPrefix'>,
  instruction: string,
  path: string,
): string {
  // Not `replace`: the instruction is user text and may contain replacement patterns such as `$&`.
  if (instructionPrefix !== undefined) return instructionPrefix.split(INSTRUCTION_PLACE).join(instruction);
  const own = Object.keys(prompts);
  const has = own.length === 0 ? '' : `; it has these named prompts: ${own.join(', ')}`;
  throw refusedField(path, `${name} takes no instructions${has}`);
}

const isRole = (name: string): boolean => Object.hasOwn(ROLE_OF, name);

function roleOf({ model = '', input_type, prompt_name }: RoleRequest): Role | undefined {
  const said = { model: modelAndRole(model).role, input_type, prompt_name };
  let found: { role: Role; path: string } | undefined;
  for (const [path, name] of Object.entries(said)) {
    if (name === undefined) continue;
    const role = isRole(name) ? ROLE_OF[name] : undefined;
    if (role === undefined) throw lacking(path, name, ROLE_NAMES);
    if (found !== undefined && found.role !== role)
      throw refusedField(path, `it is ${role}, but ${found.path} is ${found.role}; leave one of them out`);
    found ??= { role, path };
  }
  return found?.role;
}

function lacking(path: string, name: string, names: readonly string[]) {
  const there = [...new Set(names)].join(', ') || 'no named prompts';
  return refusedField(path, `the model has no ${JSON.stringify(name.slice(0, 100))}; it has ${there}`);
}
