import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { EmbedmillError } from '@embedmill/jobs';
import { sizeOf } from './digest.ts';
import {
  modelEntrySchema,
  overridesSchema,
  pathSchema,
  type AdaptersEntry,
  type ModelEntry,
  type ModelFacts,
  type ModelKind,
  type Pooling,
  type ProjectionEntry,
} from './entry.ts';

/** The transformer's own path is often empty. */
const modulesSchema = z.array(z.looseObject({ type: z.string(), path: z.literal('').or(pathSchema) }));
const poolingSchema = z.looseObject({
  word_embedding_dimension: z.int().optional(),
  pooling_mode: z.string().optional(),
  pooling_mode_cls_token: z.boolean().default(false),
  pooling_mode_mean_tokens: z.boolean().default(false),
  pooling_mode_max_tokens: z.boolean().default(false),
  pooling_mode_mean_sqrt_len_tokens: z.boolean().default(false),
  pooling_mode_weightedmean_tokens: z.boolean().default(false),
  pooling_mode_lasttoken: z.boolean().default(false),
});
const limitsSchema = z.looseObject({ max_seq_length: z.int().nullish() });
const configSchema = z.looseObject({
  model_type: z.string().optional(),
  architectures: z.array(z.string()).nullish(),
  id2label: z.record(z.string(), z.string()).nullish(),
  hidden_size: z.int().optional(),
  vocab_size: z.int().optional(),
  max_position_embeddings: z.int().optional(),
  pad_token_id: z.int().nullish(),
  lora_adaptations: z.array(z.string()).nullish(),
});
const tokenizerSchema = z.looseObject({ padding_side: z.string().optional() });
const denseSchema = z.looseObject({
  activation_function: z.string().optional(),
  out_features: z.int().positive().optional(),
});
type Modules = z.infer<typeof modulesSchema> | undefined;
type PoolingConfig = z.infer<typeof poolingSchema> | undefined;
type Config = z.infer<typeof configSchema> | undefined;
const promptsSchema = z.looseObject({ prompts: z.record(z.string(), z.string()).optional() });

/** The last two belong to sparse models. */
const KNOWN_MODULE = /\.(Transformer|Pooling|Dense|Normalize|MLMTransformer|SpladePooling)$/;
/** The torch activations that Dense modules use; tanh if none is stated. */
const ACTIVATION = /(?:^|\.)(Identity|Tanh)$/;

/** The adapters of jina-embeddings-v3, and its prompts, by name. */
const QUERY_ADAPTER = 'retrieval.query';
const DOCUMENT_ADAPTER = 'retrieval.passage';

/** Models whose first two positions are reserved. */
const OFFSET_POSITIONS = new Set(['roberta', 'xlm-roberta', 'camembert', 'mpnet']);

/**
 * The entry of a model in a user's folder, read from the files that sentence-transformers writes (modules.json,
 * 1_Pooling/config.json, 2_Dense and so on, sentence_bert_config.json, config.json, config_sentence_transformers.json,
 * tokenizer_config.json) and from embedmill.json, which may state any field of an entry and takes precedence over them.
 * Without a pooling, config.json's architecture identifies sparse models and rerankers. `said` takes precedence over
 * everything. Throws `model_unavailable` with the name of the missing or invalid file.
 */
export async function entryOfFolder(
  modelsDir: string,
  folder: string,
  said: ModelFacts = {},
): Promise<ModelEntry> {
  const path = join(modelsDir, folder);
  const read = <T>(file: string, schema: z.ZodType<T>) => readJson(join(path, file), schema);
  const overrides = { ...(await read('embedmill.json', overridesSchema)), ...said };
  const modules = await read('modules.json', modulesSchema);
  const unknown = modules?.find(({ type }) => !KNOWN_MODULE.test(type));
  if (unknown !== undefined && overrides.pooling === undefined) {
    throw unusable(join(path, 'modules.json'), `has a module that embedmill cannot run, ${unknown.type}`);
  }
  const poolingPath = modules?.find(({ type }) => type.endsWith('.Pooling'))?.path ?? '1_Pooling';
  const pooling = await read(`${poolingPath}/config.json`, poolingSchema);
  const limits = await read('sentence_bert_config.json', limitsSchema);
  const config = await read('config.json', configSchema);
  const named = (await read('config_sentence_transformers.json', promptsSchema))?.prompts ?? {};
  const prompts = Object.fromEntries(Object.entries(named).filter(([name]) => !isOfOtherUse(name, config)));

  const wanting = (what: string, file: string) =>
    unusable(path, `does not say its ${what}: add ${file}, or an embedmill.json with {"${what}": …}`);
  const kind = overrides.kind ?? kindOf(modules, pooling, config);
  const dims = overrides.dims ?? (await projectedDims(path, kind, modules)) ?? dimsOf(kind, pooling, config);
  if (dims === undefined) throw wanting('dims', 'config.json');
  const poolingKind = overrides.pooling ?? poolingOf(pooling);
  const isDense = kind === 'dense';
  const isLeft =
    poolingKind === 'last' && (await read('tokenizer_config.json', tokenizerSchema))?.padding_side === 'left';
  // A graph that pools itself includes them.
  const isWhole = !isDense || poolingKind === 'graph' || overrides.projections !== undefined;
  const projections = isWhole ? [] : await projectionsOf(path, modules);
  if (isDense && poolingKind === undefined) throw wanting('pooling', '1_Pooling/config.json');
  const maxTokens = overrides.maxTokens ?? limits?.max_seq_length ?? positionsOf(config);
  if (maxTokens === undefined) throw wanting('maxTokens', 'sentence_bert_config.json');

  const entry = modelEntrySchema.safeParse({
    name: folder,
    license: 'unknown',
    queryPrefix: prompts['query'] ?? prompts[QUERY_ADAPTER] ?? '',
    documentPrefix: prompts['document'] ?? prompts['passage'] ?? prompts[DOCUMENT_ADAPTER] ?? '',
    prompts,
    padTokenId: config?.pad_token_id ?? 0,
    model: { path: (await onnxFileOf(path)) ?? 'model.onnx' },
    ...(isDense ? { padding: isLeft ? 'left' : 'right', projections, adapters: adaptersOf(config) } : {}),
    ...overrides,
    normalize: overrides.normalize ?? modules?.some(({ type }) => type.endsWith('.Normalize')) ?? true,
    kind,
    dims,
    ...(isDense ? { pooling: poolingKind } : {}),
    maxTokens,
    source: { kind: 'local', folder },
  });
  if (!entry.success) throw unusable(path, z.prettifyError(entry.error));
  return entry.data;
}

/**
 * Whether a prompt requires an adapter that is neither for queries nor for documents; such a prompt needs its own
 * entry.
 */
function isOfOtherUse(prompt: string, config: Config): boolean {
  const names = config?.lora_adaptations ?? [];
  return names.includes(prompt) && prompt !== QUERY_ADAPTER && prompt !== DOCUMENT_ADAPTER;
}

/** In a graph with adapters for retrieval, `task_id` selects one by its position in config.json. */
function adaptersOf(config: Config): AdaptersEntry | undefined {
  const names = config?.lora_adaptations ?? [];
  const [query, document] = [names.indexOf(QUERY_ADAPTER), names.indexOf(DOCUMENT_ADAPTER)];
  return query === -1 || document === -1 ? undefined : { input: 'task_id', query, document };
}

/**
 * The entry in the embedmill.json of the folder with its name, with the folder's files; undefined if the folder has no
 * such file. Throws `model_unavailable` if it is unusable.
 */
export async function entryInFolder(modelsDir: string, entry: ModelEntry): Promise<ModelEntry | undefined> {
  const path = join(modelsDir, entry.name);
  const overrides = await readJson(join(path, 'embedmill.json'), overridesSchema);
  if (overrides === undefined) return undefined;
  const hasOwnTokenizer = (await sizeOf(join(path, entry.tokenizer.path))) !== undefined;
  const merged = modelEntrySchema.safeParse({
    ...entry,
    model: { path: (await onnxFileOf(path)) ?? entry.model.path },
    tokenizer: { path: hasOwnTokenizer ? entry.tokenizer.path : 'tokenizer.json' },
    ...overrides,
    source: { kind: 'local', folder: entry.name },
  });
  if (!merged.success) throw unusable(join(path, 'embedmill.json'), z.prettifyError(merged.error));
  return merged.data;
}

/** The ONNX file of a folder, at the usual places on hubs. */
export async function onnxFileOf(folder: string): Promise<string | undefined> {
  for (const path of ['model.onnx', 'onnx/model.onnx']) {
    if ((await sizeOf(join(folder, path))) !== undefined) return path;
  }
  return undefined;
}

/** A model with a pooling configuration is dense, whatever head its transformer was trained with. */
function kindOf(modules: Modules, pooling: PoolingConfig, config: Config): ModelKind {
  const isOf = (head: string) => config?.architectures?.some((name) => name.endsWith(head)) === true;
  if (modules?.some(({ type }) => type.endsWith('.SpladePooling')) === true) return 'sparse';
  if (pooling !== undefined) return 'dense';
  if (isOf('ForSequenceClassification') && Object.keys(config?.id2label ?? {}).length === 1)
    return 'reranker';
  return isOf('ForMaskedLM') ? 'sparse' : 'dense';
}

function dimsOf(kind: ModelKind, pooling: PoolingConfig, config: Config): number | undefined {
  switch (kind) {
    case 'dense':
      return pooling?.word_embedding_dimension ?? config?.hidden_size;
    case 'sparse':
      return config?.vocab_size;
    case 'reranker':
      return 1;
  }
}

/** The output size of the last Dense module. */
async function projectedDims(
  folder: string,
  kind: ModelKind,
  modules: Modules = [],
): Promise<number | undefined> {
  const last = modules.findLast(({ type }) => type.endsWith('.Dense'));
  if (kind !== 'dense' || last === undefined) return undefined;
  return (await readJson(join(folder, last.path, 'config.json'), denseSchema))?.out_features;
}

const POOLING_OF: Readonly<Record<string, Pooling>> = { cls: 'cls', mean: 'mean', lasttoken: 'last' };

/** Undefined if several are combined, or if it is unknown here. */
function poolingOf(config: PoolingConfig): Pooling | undefined {
  if (config === undefined) return undefined;
  const { pooling_mode: mode } = config;
  if (mode !== undefined) return Object.hasOwn(POOLING_OF, mode) ? POOLING_OF[mode] : undefined;
  const others =
    config.pooling_mode_max_tokens ||
    config.pooling_mode_mean_sqrt_len_tokens ||
    config.pooling_mode_weightedmean_tokens;
  const known: Pooling[] = [];
  if (config.pooling_mode_cls_token) known.push('cls');
  if (config.pooling_mode_mean_tokens) known.push('mean');
  if (config.pooling_mode_lasttoken) known.push('last');
  return others || known.length > 1 ? undefined : known[0];
}

/** The Dense modules of a folder, in order. */
async function projectionsOf(folder: string, modules: Modules = []): Promise<ProjectionEntry[]> {
  const dense = modules.filter(({ type }) => type.endsWith('.Dense'));
  return Promise.all(
    dense.map(async ({ path }) => {
      const configPath = join(folder, path, 'config.json');
      const { activation_function: named = 'Tanh' } = (await readJson(configPath, denseSchema)) ?? {};
      const activation = ACTIVATION.exec(named)?.[1];
      if (activation === undefined)
        throw unusable(configPath, `has an activation that embedmill cannot run, ${named}`);
      const weights = `${path}/model.safetensors`;
      if ((await sizeOf(join(folder, weights))) === undefined) {
        const advice =
          'add it, or set {"pooling": "graph"} in embedmill.json if the ONNX file includes pooling';
        throw unusable(join(folder, weights), `is missing: ${advice}`);
      }
      return { weights: { path: weights }, activation: activation === 'Tanh' ? 'tanh' : 'identity' };
    }),
  );
}

function positionsOf(config: Config): number | undefined {
  const positions = config?.max_position_embeddings;
  if (positions === undefined) return undefined;
  return OFFSET_POSITIONS.has(config?.model_type ?? '') ? positions - 2 : positions;
}

/** A JSON file, parsed by its schema; undefined if it does not exist. */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unusable(path, 'cannot be read', error);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw unusable(path, 'is not JSON', error);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw unusable(path, `is not valid: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

function unusable(path: string, what: string, cause?: unknown): EmbedmillError {
  return new EmbedmillError('model_unavailable', `${path} ${what}`, { cause });
}
