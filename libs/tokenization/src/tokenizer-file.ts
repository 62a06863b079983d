import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { EmbedmillError } from '@embedmill/jobs';
import { blankTokens } from './known-tokens.ts';
import { spacedWordRules, type SpacedWordRules } from './spaced-words.ts';
import { wordRules, type AddedToken, type TokenizerJson, type WordRules } from './word-rules.ts';

/** What a tokenizer.json says: the native tokenizer, and what can be known of it without asking that. */
export interface TokenizerFile {
  native: NativeTokenizer;
  /** Where words are independent of one another, as BERT’s are. */
  rules: WordRules | undefined;
  /** As XLM-R’s are. */
  spaced: SpacedWordRules | undefined;
  added: AddedToken[];
  /** Tokens that stand for nothing in any text. */
  blank: ReadonlySet<number>;
}

/** Reads a tokenizer.json, or one gzipped. Throws as `Tokenizer.load` does. */
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
