import { z } from 'zod';
import { instructionSchema, ROLES, type Role } from '@embedmill/jobs';
import { INSTRUCTION_PLACE, type ModelSummary } from '@embedmill/models';
import { refusedField } from '../http/problem.ts';

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

/** What a request says of its texts' role. */
export interface RoleRequest {
  model?: string | undefined;
  input_type?: string | undefined;
  prompt_name?: string | undefined;
  instruction?: string | undefined;
}

/** What texts are to the model, and what stands in front of them where that is not the role's. */
export interface Prompt {
  role: Role;
  prefix: string | undefined;
}

/** The model's name without a role behind it, as in `bge-small-en-v1.5:query`, and that role. */
export function modelAndRole(name: string): { name: string; role: Role | undefined } {
  const role = ROLES.find((one) => name.endsWith(`:${one}`));
  return role === undefined ? { name, role } : { name: name.slice(0, -role.length - 1), role };
}

/**
 * The role that a request names, in one way or several, and the prompt that its texts get instead of the role's. An
 * instruction makes them queries; a prompt of the model's own says nothing of the role. Errors: `invalid_request` with
 * the path.
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

/** The text of one of the model's prompts. Errors: `invalid_request` with those there are. */
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

/** What stands in front of a query with the instruction. Errors: `invalid_request` where the model takes none. */
export function instructed(
  { name, prompts, instructionPrefix }: Pick<ModelSummary, 'name' | 'prompts' | 'instructionPrefix'>,
  instruction: string,
  path: string,
): string {
  // Not a pattern for `replace`: the instruction is anyone's text.
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
