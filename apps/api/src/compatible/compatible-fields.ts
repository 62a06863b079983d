import { z } from 'zod';

/**
 * Fields without an effect on the response that real clients send, by the API of the clients, which ignores them itself. All
 * other unknown fields are refused with their paths: a request is either carried out as stated or refused.
 */
const IGNORED = {
  /** For OpenAI's own records: the caller and the purpose. */
  openai: ['user', 'safety_identifier', 'prompt_cache_key'],
  /** From Hugging Face's inference API, whose clients also call text-embeddings-inference, which ignores them. */
  tei: ['options', 'user', 'use_cache', 'wait_for_model'],
  /** The priority at Cohere under load. */
  cohere: ['priority', 'user'],
  /** How long Ollama keeps a model in memory. */
  ollama: ['keep_alive'],
} as const;

/** Those fields for a strict schema. */
export function ignoredBy(api: keyof typeof IGNORED): Record<string, z.ZodOptional<z.ZodUnknown>> {
  const ignored = z.unknown().optional().meta({ description: 'Accepted for compatibility and ignored.' });
  return Object.fromEntries(IGNORED[api].map((field) => [field, ignored]));
}
