import { Option, type Command } from 'commander';
import type { z } from 'zod';
import {
  chunkingSchema,
  SPARSE_SCHEMES,
  type embeddingProfileSchema,
  type Language,
  type SparseScheme,
} from '@embedmill/jobs';
import { usageError } from '../exit.ts';
import { LANGUAGES_SAID, languageOf, languageOfFile, modelReading } from '../documents/language-choice.ts';
import { integerBetween, schemesOf } from './option-values.ts';

/** What is said of how documents are embedded. */
export interface ProfileOptions {
  model?: string;
  chunkSize?: number;
  overlap?: number;
  boundary?: string;
  /** False with --no-chunking. */
  chunking: boolean;
  sparse?: SparseScheme[];
  /** What gives the vectors of splade. */
  sparseModel?: string;
  language?: Language;
  /** A file that tells the language. */
  sample?: string;
  dims?: number;
}

export function addProfileOptions(command: Command): Command {
  return command
    .option('--model <name>', 'the dense model (see "embedmill models")')
    .option(
      '--chunk-size <tokens>',
      'the most tokens in a chunk (default: the model’s limit)',
      integerBetween(16, 8192),
    )
    .option(
      '--overlap <tokens>',
      'tokens that a chunk repeats from the previous one',
      integerBetween(0, 4096),
    )
    .addOption(
      new Option('--boundary <kind>', 'where a chunk preferably ends').choices([
        'content',
        'paragraph',
        'sentence',
        'word',
      ]),
    )
    .option(
      '--sparse <schemes>',
      `sparse vectors for searches by words, separated by commas: ${SPARSE_SCHEMES.join(', ')}`,
      schemesOf,
    )
    .option(
      '--sparse-model <name>',
      'the model for splade vectors; some dense models also give them, see "embedmill models"',
    )
    .option(
      '--language <name>',
      `the language of the texts: ${LANGUAGES_SAID}; chooses the model and bm25 for it, unless --model and --sparse do`,
      languageOf,
    )
    .option('--sample <file>', 'detect the language from the first documents of a file')
    .option('--dims <n>', 'a smaller vector size, if the model has one', integerBetween(1, 65_536))
    .option('--no-chunking', 'one vector per document; longer text is truncated and reported');
}

/** The options with what goes by a language, where it is said or found. */
export async function withLanguage<O extends ProfileOptions>(options: O): Promise<O> {
  const { sample, sparse } = options;
  const language = options.language ?? (sample === undefined ? undefined : await languageOfFile(sample));
  if (language === undefined) return options;
  const model = options.model ?? modelReading(language);
  return { ...options, language, sparse: sparse ?? ['bm25'], ...(model !== undefined && { model }) };
}

/** Only what was asked for: the server fills in the rest. */
export function embeddingProfileOf(options: ProfileOptions): z.input<typeof embeddingProfileSchema> {
  const { model, chunkSize, overlap, boundary, chunking, dims } = options;
  const cutting = { size: chunkSize, overlap, boundary };
  const asked = Object.fromEntries(Object.entries(cutting).filter(([, value]) => value !== undefined));
  const cuts = Object.keys(asked).length > 0;
  if (!chunking && cuts)
    throw usageError('--no-chunking cannot be combined with --chunk-size, --overlap or --boundary');
  if (options.sparseModel !== undefined && options.sparse?.includes('splade') !== true)
    throw usageError('--sparse-model sets the model of splade vectors; add --sparse splade');
  const mode = chunking ? { mode: 'tokens', ...asked } : { mode: 'document' };
  return {
    ...(model !== undefined && { model }),
    ...((cuts || !chunking) && { chunking: chunkingSchema.parse(mode) }),
    ...(dims !== undefined && { dims }),
    ...(options.sparse !== undefined && { sparse: sparseOf(options.sparse, options) }),
  };
}

function sparseOf(
  schemes: readonly SparseScheme[],
  { language, sparseModel: model }: Pick<ProfileOptions, 'language' | 'sparseModel'>,
) {
  const read = language === undefined ? {} : { language };
  const weighed = model === undefined ? {} : { model };
  return Object.fromEntries(schemes.map((scheme) => [scheme, scheme === 'splade' ? weighed : read]));
}
