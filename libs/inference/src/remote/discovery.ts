import { EmbedmillError } from '@embedmill/jobs';
import { embedOnce, type EmbedApi } from './embed-api.ts';
import { UpstreamFailure, type FailureKind } from './failure.ts';
import { modelsIn, openaiApi, OPENAI_PATHS } from './openai.ts';
import { persist, type Persistence } from './persist.ts';
import { TEI_INFO_PATH, teiApi, teiInfoSchema } from './tei.ts';
import type { Upstream } from './upstream.ts';

export interface Wanted {
  api: 'auto' | 'tei' | 'openai';
  model: string;
  dims?: number | undefined;
  normalize: boolean;
}

/** A text that every embedding model accepts: an upstream that embeds it works. */
export const PROBE = 'embedmill';

/** The maximum response of `GET /info` and `GET /v1/models`, in bytes. */
const MOST_SAID = 1024 * 1024;
const MODELS_NAMED = 10;
/** Servers' failures for an unknown path; some check the key first, some crash. */
const NOT_TEI: ReadonlySet<FailureKind> = new Set(['missing', 'refused', 'denied', 'garbled', 'broken']);

/**
 * Finds out which API an upstream speaks, that it works, and the size of its vectors. Throws `UpstreamFailure`, and
 * `model_corrupt` if its vectors do not have the expected size.
 */
export async function discover(
  upstream: Upstream,
  wanted: Wanted,
  persistence: Persistence,
): Promise<{ api: EmbedApi; dims: number }> {
  const tei = wanted.api === 'openai' ? undefined : await askForTei(upstream, wanted, persistence);
  const found =
    tei === undefined
      ? await probeOpenai(upstream, wanted.model, persistence)
      : { api: tei, dims: await probe(upstream, tei, persistence) };
  const { api, dims } = found;
  if (wanted.dims !== undefined && dims !== wanted.dims) {
    throw new EmbedmillError(
      'model_corrupt',
      `${upstream.at(api.path)} gives vectors of ${dims} numbers, but ${wanted.model} has ${wanted.dims}; serve the right model there, or correct the dims of the model’s entry`,
    );
  }
  return found;
}

/** TEI's description of itself; undefined if the upstream is not TEI, which is allowed. */
async function askForTei(
  upstream: Upstream,
  wanted: Wanted,
  persistence: Persistence,
): Promise<EmbedApi | undefined> {
  let said: unknown;
  try {
    said = await persist(
      (attempt) => upstream.ask(TEI_INFO_PATH, { maxBytes: MOST_SAID }, attempt),
      persistence,
    );
  } catch (thrown) {
    if (wanted.api === 'auto' && thrown instanceof UpstreamFailure && NOT_TEI.has(thrown.kind)) {
      return undefined;
    }
    throw thrown;
  }
  const info = teiInfoSchema.safeParse(said);
  if (info.success) return teiApi(info.data, wanted.normalize);
  if (wanted.api === 'auto') return undefined;
  const message = `${upstream.at(TEI_INFO_PATH)} does not respond like text-embeddings-inference; is it one?`;
  throw new UpstreamFailure('missing', message);
}

async function probeOpenai(
  upstream: Upstream,
  model: string,
  persistence: Persistence,
): Promise<{ api: EmbedApi; dims: number }> {
  let failure: UpstreamFailure | undefined;
  for (const path of OPENAI_PATHS) {
    const api = openaiApi(path, model);
    try {
      return { api, dims: await probe(upstream, api, persistence) };
    } catch (thrown) {
      if (!(thrown instanceof UpstreamFailure)) throw thrown;
      // The failure of an existing path says more than that of a missing one; but a gateway may deny missing paths.
      const isThere = thrown.kind !== 'missing' && thrown.kind !== 'denied';
      if (failure === undefined || isThere) failure = thrown;
      if (thrown.kind !== 'missing') break;
    }
  }
  throw await withModels(failure, upstream, model, persistence);
}

/** Adds the available names to a failure that may be due to the model's name. */
async function withModels(
  failure: UpstreamFailure | undefined,
  upstream: Upstream,
  model: string,
  { signal, deadlineMs }: Persistence,
): Promise<unknown> {
  if (failure?.kind !== 'missing' && failure?.kind !== 'refused') return failure;
  const attempt = { timeoutMs: deadlineMs / 2, signal };
  const said = await upstream.ask('/v1/models', { maxBytes: MOST_SAID }, attempt).catch(() => undefined);
  const models = modelsIn(said);
  if (models.length === 0 || models.includes(model)) return failure;
  const names = models.slice(0, MODELS_NAMED).join(', ') + (models.length > MODELS_NAMED ? ', …' : '');
  return new UpstreamFailure('missing', `${failure.message} (asked for ${model}; it has ${names})`, {
    cause: failure,
  });
}

/** Numbers in a vector. */
async function probe(upstream: Upstream, api: EmbedApi, persistence: Persistence): Promise<number> {
  const { dims } = await persist(
    (attempt) => embedOnce(upstream, api, [PROBE], undefined, attempt),
    persistence,
  );
  return dims;
}
