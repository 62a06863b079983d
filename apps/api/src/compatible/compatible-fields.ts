import { z } from 'zod';

/**
 * What real clients send that says nothing about the answer, by the API whose clients they are: these pass it over
 * themselves. All other fields that a route does not know are refused, with their paths: what a request asks for is done
 * or refused.
 */
const IGNORED = {
  /** For OpenAI's own records: who asks, and for what. */
  openai: ['user', 'safety_identifier', 'prompt_cache_key'],
  /** Of Hugging Face's inference API, whose clients talk to text-embeddings-inference, which reads none of them. */
  tei: ['options', 'user', 'use_cache', 'wait_for_model'],
  /** How soon Cohere answers when it is busy. */
  cohere: ['priority', 'user'],
  /** How long Ollama keeps a model in memory. */
  ollama: ['keep_alive'],
} as const;

/** Those fields for a strict schema. */
export function ignoredBy(api: keyof typeof IGNORED): Record<string, z.ZodOptional<z.ZodUnknown>> {
  const ignored = z.unknown().optional().meta({ description: 'Accepted for compatibility and ignored.' });
  return Object.fromEntries(IGNORED[api].map((field) => [field, ignored]));
}
