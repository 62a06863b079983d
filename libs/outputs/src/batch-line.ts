import { createHash } from 'node:crypto';
import type { Batch, BatchError } from '@embedmill/jobs';

/** The response to a request for embeddings, in OpenAI's format. */
export interface EmbeddingsBody {
  object: 'list';
  data: { object: 'embedding'; index: number; embedding: number[] | string; truncated?: true }[];
  model: string;
  usage: { prompt_tokens: number; total_tokens: number };
}

/**
 * Lines of the output and error files of an OpenAI batch (https://platform.openai.com/docs/api-reference/batch). Ids
 * are derived from those of the batch and the request, so that writing a line again gives the same line.
 */
export function answeredLine(batch: Pick<Batch, 'id'>, customId: string, body: EmbeddingsBody): string {
  return lineOf(batch, customId, { status_code: 200, body }, null);
}

export function failedLine(batch: Pick<Batch, 'id'>, customId: string, error: BatchError): string {
  const { status, message, type, param, code } = error;
  return lineOf(
    batch,
    customId,
    { status_code: status, body: { error: { message, type, param, code } } },
    null,
  );
}

/** A request that was never answered. */
export function unansweredLine(
  batch: Pick<Batch, 'id'>,
  customId: string,
  error: { code: string; message: string },
): string {
  return lineOf(batch, customId, null, error);
}

function lineOf(
  { id }: Pick<Batch, 'id'>,
  customId: string,
  response: { status_code: number; body: object } | null,
  error: { code: string; message: string } | null,
): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([id, customId]))
    .digest('hex')
    .slice(0, 24);
  return JSON.stringify({
    id: `batch_req_${digest}`,
    custom_id: customId,
    response: response && {
      status_code: response.status_code,
      request_id: `req_${digest}`,
      body: response.body,
    },
    error,
  });
}
