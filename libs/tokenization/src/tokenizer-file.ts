import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { EmbedmillError } from '@embedmill/jobs';
import { blankTokens } from './known-tokens.ts';
import { spacedWordRules, type SpacedWordRules } from './spaced-words.ts';
import { wordRules, type AddedToken, type TokenizerJson, type WordRules } from './word-rules.ts';

/** The content of a tokenizer.json: the native tokenizer, and the facts known without querying it. */
export interface TokenizerFile {
  native: NativeTokenizer;
  /** For tokenizers with independent words, like BERT’s. */
  rules: WordRules | undefined;
  /** For tokenizers like XLM-R’s. */
  spaced: SpacedWordRules | undefined;
  added: AddedToken[];
  /** Tokens that have no meaning in any text. */
  blank: ReadonlySet<number>;
}

/** Reads a tokenizer.json, gzipped or not. Throws the errors of `Tokenizer.load`. */
export async function readTokenizer(path: string): Promise<TokenizerFile> {
  const file = await readFile(path).catch((cause: unknown) => {
    throw new EmbedmillError('model_unavailable', `cannot read the tokenizer ${path}; put the file there`, {
      cause,
    });
  });
  try {
    const json = (path.endsWith('.gz') ? await promisify(gunzip)(file) : file).toString('utf8');
    const native = NativeTokenizer.fromString(json);
    const parsed = JSON.parse(json) as TokenizerJson;
    return {
      native,
      rules: wordRules(parsed),
      spaced: spacedWordRules(parsed),
      added: parsed.added_tokens ?? [],
      blank: blankTokens(parsed, native),
    };
  } catch (cause) {
    throw new EmbedmillError('model_corrupt', `${path} is not a usable tokenizer.json`, { cause });
  }
}
