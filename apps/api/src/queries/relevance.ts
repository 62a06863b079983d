import { EmbedmillError, profileSchema } from '@embedmill/jobs';
import pLimit from 'p-limit';
import type { ModelSummary } from '@embedmill/models';
import { requireModel } from '../models/model.ts';
import { nameOf } from '../models/model-aliases.ts';
import type { ApiParts } from '../parts.ts';
import { refusedField } from '../http/problem.ts';
import { checkText, refuseUnknown, type QueryLane } from './query-lane.ts';

/** How well one text answers a query, and its index in the request. */
export interface Relevance {
  index: number;
  /** The logit of a cross-encoder, or the score of late interaction from 0 to 1. */
  score: number;
  /** From 0 to 1. */
  probability: number;
}

export interface RelevanceRequest {
  model: string | undefined;
  query: string;
  texts: readonly string[];
  /** Whether to refuse texts that exceed the model's limit, instead of truncating them. */
  whole: boolean;
  /** The most tokens to read of each text. */
  tokensPerText?: number | undefined;
  /** Names of the request's fields, for errors. */
  paths: { texts: string };
}

/** The default reranker: late interaction over the bundled model's token vectors. */
const DEFAULT_MODEL = profileSchema.parse({}).model;

/** The result of a request. */
export interface Relevances {
  /** The model's own name. */
  model: string;
  /** All texts, the most relevant first. */
  ranked: Relevance[];
  /** Tokens that the model read. */
  tokens: number;
}

/** Scores all texts. Errors: `invalid_request`, `model_not_found`, and those of the lane. */
export async function relevanceOf(
  { model = DEFAULT_MODEL, query, texts, whole, tokensPerText = Infinity, paths }: RelevanceRequest,
  parts: Pick<ApiParts, 'models' | 'config'>,
  lane: QueryLane,
): Promise<Relevances> {
  checkText(query, 'query');
  for (const [n, text] of texts.entries()) checkText(text, `${paths.texts}/${n}`);
  const { name, maxTokens } = await requireReranker(parts.models, await nameOf(model, parts), 'model');
  if (tokensPerText < maxTokens) {
    const message = `${name} reads ${maxTokens} tokens of each text, which cannot be reduced to ${tokensPerText}; leave it out`;
    throw refusedField('max_tokens_per_doc', message);
  }
  const result = await lane.ask({ task: 'rerank', model: name, query, inputs: [...texts], emphasis: [] });
  refuseUnknown([result.query.unknown], name, () => 'query');
  refuseUnknown(result.unknown, name, (n) => `${paths.texts}/${n}`);
  if (whole && result.query.truncated) throw tooLong('query', maxTokens);
  const cut = whole ? result.truncated.indexOf(true) : -1;
  if (cut !== -1) throw tooLong(`${paths.texts}/${cut}`, maxTokens);
  const relevances = Array.from(result.scores, (score, index): Relevance => ({
    index,
    score,
    probability: result.kind === 'logit' ? 1 / (1 + Math.exp(-score)) : score,
  }));
  return {
    model: name,
    ranked: relevances.toSorted((a, b) => b.score - a.score),
    tokens: result.tokens.reduce((sum, count) => sum + count, 0),
  };
}

/** A query and a text. */
export interface Pair {
  query: string;
  text: string;
}

/** The most concurrent queries of one request. */
const QUERIES_AT_ONCE = 4;

/** Scores each text against its own query, in the given order. Errors: like `relevanceOf`, with the pair's path. */
export async function pairRelevances(
  pairs: readonly Pair[],
  {
    pathOf,
    ...request
  }: Pick<RelevanceRequest, 'model' | 'whole'> & { pathOf: (pair: number, part: keyof Pair) => string },
  parts: Pick<ApiParts, 'models' | 'config'>,
  lane: QueryLane,
): Promise<{ model: string; scores: Relevance[]; tokens: number }> {
  for (const [n, { query, text }] of pairs.entries()) {
    checkText(query, pathOf(n, 'query'));
    checkText(text, pathOf(n, 'text'));
  }
  const slots = pLimit(QUERIES_AT_ONCE);
  const scores: Relevance[] = [];
  const byQuery = [...Map.groupBy(pairs.entries(), ([, { query }]) => query)];
  const answers = await Promise.all(
    byQuery.map(([query, own]) =>
      slots(async () => {
        const texts = own.map(([, { text }]) => text);
        const answer = await relevanceOf(
          { ...request, query, texts, paths: { texts: 'texts' } },
          parts,
          lane,
        );
        for (const relevance of answer.ranked) {
          const [index] = own[relevance.index] ?? [0];
          scores[index] = { ...relevance, index };
        }
        return answer;
      }),
    ),
  );
  const tokens = answers.reduce((sum, answer) => sum + answer.tokens, 0);
  return { model: answers[0]?.model ?? '', scores, tokens };
}

/** A model that can rerank: a reranker, or a dense model by late interaction. Errors: `model_not_found`, `invalid_request`. */
export async function requireReranker(
  models: ApiParts['models'],
  name: string,
  path: string,
): Promise<ModelSummary> {
  const model = await requireModel(models, name, path);
  if (model.kind !== 'sparse') return model;
  const message = `${name} gives sparse vectors and cannot rerank; name a reranker, or a dense model for late interaction`;
  throw new EmbedmillError('invalid_request', message, { details: [{ path, message }] });
}

export function tooLong(path: string, maxTokens: number): EmbedmillError {
  const message = `${path}: it exceeds the model’s limit of ${maxTokens} tokens; shorten it, or set "truncate"`;
  return new EmbedmillError('payload_too_large', message, { details: [{ path, message }] });
}
