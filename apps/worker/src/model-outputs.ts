import type { EngineOutput } from '@embedmill/inference';
import { EmbedmillError, type ErrorCode } from '@embedmill/jobs';

/** What a model without an output cannot do, and what to use instead. */
const WITHOUT: Record<EngineOutput, string> = {
  dense: 'gives no dense vectors; use a dense model',
  attention: 'provides no attention, which BM42 needs; use a model that does',
  states:
    'cannot rerank: it provides no token vectors, which late interaction needs; name a reranker in "rerank", or leave it out',
  lexical: 'gives no sparse vectors; use a sparse model',
  sparse: 'gives no sparse vectors; use a sparse model',
  score: 'cannot score pairs; name a reranker',
};

/** Throws an error of this code if the model lacks one of the wanted outputs. */
export function assertOutputs(
  { name, outputs }: { name: string; outputs: readonly EngineOutput[] },
  wanted: readonly EngineOutput[],
  code: ErrorCode,
): void {
  const lacking = wanted.find((output) => !outputs.includes(output));
  if (lacking !== undefined) throw new EmbedmillError(code, `${name} ${WITHOUT[lacking]}`);
}
