import { z } from 'zod';
import {
  asEmbedmillError,
  DEFAULT_TENANT,
  EmbedmillError,
  openaiErrorOf,
  parseJson,
  type Batch,
  type BatchRequest,
  type DocumentId,
  type JobId,
  type StoredSource,
} from '@embedmill/jobs';
import type { BatchReading } from '@embedmill/queue';
import { DuplicateFinder, readLines, type Line, type Spool } from '@embedmill/sources';
import type { Encoding } from '../models/model-aliases.ts';
import { embeddingRequestSchema, readEmbeddingRequest } from '../compatible/openai-shapes.ts';
import { invalidRequest } from '../http/problem.ts';
import { checkText } from '../queries/query-lane.ts';
import { promptOf } from '../models/role.ts';

export interface BatchLinesInput {
  job: JobId;
  batch: Batch;
  /** The model's own name. */
  model: string;
  source: StoredSource;
  reading: BatchReading;
}

/** The fault of a line, in OpenAI's terms. */
export interface BatchFault {
  code: string;
  message: string;
  line: number;
  param: string | null;
}

/** Of one batch; OpenAI names some, too. */
const MOST_FAULTS = 100;
export const BATCH_ENDPOINT = '/v1/embeddings';

const lineSchema = z.object({
  custom_id: z.string().min(1).max(512),
  method: z.string(),
  url: z.string(),
  body: z.looseObject({ model: z.string() }),
});

/**
 * Converts a client's file of requests to the job's source: a document for each line, whose id is the `custom_id` and whose
 * text is a `BatchRequest`. A request with an invalid body fails alone. A malformed line invalidates the whole file: the
 * faults are stored with the batch. Errors: `invalid_batch`.
 */
export async function writeBatchLines(
  spool: Spool,
  input: BatchLinesInput,
  signal: AbortSignal,
): Promise<StoredSource> {
  const { job, batch, source } = input;
  const faults: BatchFault[] = [];
  const finder = new DuplicateFinder();
  try {
    const unlimited = { maxBytes: Number.MAX_SAFE_INTEGER };
    return (await spool.receive(job, documents(), unlimited)).source;
  } finally {
    await finder.close();
  }

  async function* documents(): AsyncGenerator<Uint8Array> {
    let requests = 0;
    for await (const group of readLines(spool.readSource(source))) {
      signal.throwIfAborted();
      for (const line of group) {
        requests += 1;
        const read = await documentOf(line, input);
        if ('fault' in read) {
          faults.push({ ...read.fault, line: line.number });
          if (faults.length >= MOST_FAULTS) await refuse();
          continue;
        }
        await finder.add({ tenant: DEFAULT_TENANT, id: read.id as DocumentId }, line.number);
        yield Buffer.from(`${JSON.stringify({ id: read.id, text: JSON.stringify(read.request) })}\n`);
      }
    }
    if (requests === 0)
      faults.push({ code: 'empty_file', message: 'the file has no requests', line: 1, param: null });
    for await (const [line, by] of finder.duplicates()) {
      const message = `the custom_id of line ${line} occurs again on line ${by}; each request needs its own`;
      faults.push({ code: 'duplicate_custom_id', message, line, param: 'custom_id' });
      if (faults.length >= MOST_FAULTS) break;
    }
    if (faults.length > 0) await refuse();
  }

  async function refuse(): Promise<never> {
    await spool.batchFaults.keep(batch.id, { faults });
    const [first] = faults;
    const message = `${faults.length} lines of the file are invalid; the first is line ${first?.line}: ${first?.message}`;
    throw new EmbedmillError('invalid_batch', message);
  }
}

type Fault = Omit<BatchFault, 'line'>;

async function documentOf(
  line: Line,
  input: BatchLinesInput,
): Promise<{ id: string; request: BatchRequest } | { fault: Fault }> {
  const value = valueOf(line);
  if (value === undefined)
    return { fault: { code: 'invalid_json_line', message: 'the line is not valid JSON', param: null } };
  const parsed = lineSchema.safeParse(value);
  if (!parsed.success) {
    const { message, details } = invalidRequest(parsed.error);
    const param = details[0]?.path.replaceAll('/', '.') ?? null;
    return { fault: { code: 'missing_required_parameter', message, param } };
  }
  const { custom_id: id, method, url, body } = parsed.data;
  const fault = faultIn({ id, method, url, model: body.model }, input.batch);
  if (fault !== undefined) return { fault };
  return { id, request: await requestOf(body, input) };
}

function faultIn(
  { id, method, url, model }: { id: string; method: string; url: string; model: string },
  batch: Batch,
): Fault | undefined {
  if (method !== 'POST')
    return { code: 'invalid_method', message: `the method is ${method}; it must be POST`, param: 'method' };
  if (url !== BATCH_ENDPOINT)
    return {
      code: 'invalid_url',
      message: `the url is ${url}; the batch is for ${BATCH_ENDPOINT}`,
      param: 'url',
    };
  // If the first line names none, only that line is at fault.
  if (batch.model !== '' && model !== batch.model)
    return {
      code: 'mismatched_model',
      message: `the model is ${model}, but the first line has ${batch.model}; a batch can have only one model`,
      param: 'body.model',
    };
  if (!id.isWellFormed() || id.includes('\0'))
    return { code: 'invalid_custom_id', message: 'the custom_id is not valid Unicode', param: 'custom_id' };
  return undefined;
}

function valueOf({ bytes }: Line): unknown {
  try {
    return bytes === null ? undefined : parseJson(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** A request's body for workers, or its error as from `POST /v1/embeddings`. */
async function requestOf(body: unknown, { model, reading }: BatchLinesInput): Promise<BatchRequest> {
  try {
    const parsed = embeddingRequestSchema.safeParse(body);
    if (!parsed.success) throw invalidRequest(parsed.error);
    const { encoding_format: format, output_dtype: form } = parsed.data;
    const { dims: whole, matryoshka, prompts, instructionPrefix, encoding, tokenIds } = reading;
    const asked = {
      model: { name: model, dims: whole, matryoshka },
      encoding: encoding as Encoding | undefined,
    };
    const { inputs, dims, pathOf } = await readEmbeddingRequest(parsed.data, asked, tokenIds);
    for (const [n, one] of inputs.entries()) if (typeof one === 'string') checkText(one, pathOf(n));
    const { role, prefix } = promptOf(parsed.data, {
      name: model,
      prompts,
      ...(instructionPrefix !== undefined && { instructionPrefix }),
    });
    return { inputs, role, ...(prefix !== undefined && { prefix }), dims, format, form };
  } catch (thrown) {
    return { error: openaiErrorOf(asEmbedmillError(thrown)) };
  }
}

/** The model that the first line of a file of requests names, if any. */
export async function firstModel(
  spool: Pick<Spool, 'readSource'>,
  { source }: { source: StoredSource },
): Promise<string | undefined> {
  for await (const group of readLines(spool.readSource(source))) {
    const [line] = group;
    if (line === undefined) continue;
    return lineSchema.safeParse(valueOf(line)).data?.body.model;
  }
  return undefined;
}
