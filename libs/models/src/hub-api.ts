import { z } from 'zod';
import { EmbedmillError } from '@embedmill/jobs';
import { hubOf, type ResolveOptions } from './resolve.ts';

/** A hub's description of a repository's files (https://huggingface.co/docs/hub/api). */
const treeSchema = z.array(
  z.looseObject({
    type: z.string(),
    path: z.string(),
    size: z.int(),
    /** `oid` is the sha256. Large files only. */
    lfs: z.looseObject({ oid: z.string().regex(/^[0-9a-f]{64}$/) }).optional(),
  }),
);
export type HubTree = z.infer<typeof treeSchema>;

/** A hub's description of a repository at a branch, tag or commit. */
const repositorySchema = z.looseObject({
  sha: z.string().regex(/^[0-9a-f]{40}$/),
  tags: z.array(z.string()).default([]),
});

const DEADLINE_MS = 30_000;

/** The files of a repository at a commit. Errors: `model_unavailable`. */
export function treeOf(repository: string, revision: string, options: ResolveOptions): Promise<HubTree> {
  return ask(repository, `tree/${revision}?recursive=true`, treeSchema, options);
}

/** The current commit of a branch or tag, and the repository's licence. Errors: `model_unavailable`. */
export async function commitOf(
  repository: string,
  revision: string,
  options: ResolveOptions,
): Promise<{ commit: string; license: string }> {
  const where = `revision/${encodeURIComponent(revision)}`;
  const { sha, tags } = await ask(repository, where, repositorySchema, options);
  const license = tags.find((tag) => tag.startsWith('license:'))?.slice('license:'.length);
  return { commit: sha, license: license ?? 'unknown' };
}

async function ask<T>(
  repository: string,
  what: string,
  schema: z.ZodType<T>,
  options: ResolveOptions,
): Promise<T> {
  const { hubUrl, token } = hubOf(options);
  const url = `${hubUrl.replace(/\/+$/, '')}/api/models/${repository}/${what}`;
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  const signal = options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal]);
  try {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(url, { headers, signal });
    if (!response.ok) throw new Error(refusalOf(response.status, repository));
    return schema.parse(await response.json());
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `cannot ask for ${repository} at ${url}: ${why}`;
    throw new EmbedmillError('model_unavailable', message, { cause });
  }
}

function refusalOf(status: number, repository: string): string {
  switch (status) {
    case 401:
    case 403:
      return `it answers ${status}: there is no such repository, or it is gated; accept its terms there, and set HF_TOKEN to a token that may read it`;
    case 404:
      return `it answers 404: there is no ${repository}, or not this revision of it`;
    default:
      return `it answers ${status}`;
  }
}
