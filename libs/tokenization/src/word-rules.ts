/** What a UTF-16 unit does to the words around it. */
export const UNIT = { inWord: 0, space: 1, alone: 2, added: 3 } as const;

/** How to cut a text into words that have the same tokens wherever they stand. */
export interface WordRules {
  /**
   * One of `UNIT` per UTF-16 unit: it belongs to a word; it ends a word and is dropped; it is a separate word; or an
   * added token may start with it, so that the text between two spaces there must not be split.
   */
  readonly units: Uint8Array;
  /** Added tokens that absorb adjacent spaces; a text with one of these must not be cut at all. */
  readonly reaching: readonly string[];
  /** The other added tokens, as they occur in a text. */
  readonly added: readonly string[];
  /** The maximum number of characters of a word in WordPiece; a longer word is unknown. */
  readonly maxWordCharacters: number;
  /** Whether a word can be split at characters that are separate words; not if added tokens are normalized. */
  readonly canSplitLongWords: boolean;
}

/** The part of a tokenizer.json that determines whether its words are independent of one another. */
export interface TokenizerJson {
  normalizer?: (Normalizer & { handle_chinese_chars?: boolean; normalizers?: Normalizer[] }) | null;
  pre_tokenizer?: (PreTokenizer & { pretokenizers?: PreTokenizer[] }) | null;
  model?: {
    type?: string;
    max_input_chars_per_word?: number;
    unk_token?: string | null;
    unk_id?: number | null;
  } | null;
  post_processor?: PostProcessor | null;
  added_tokens?: AddedToken[] | null;
}

interface Normalizer {
  type?: string;
  pattern?: { Regex?: string; String?: string };
  content?: string;
}

interface PreTokenizer {
  type?: string;
  replacement?: string;
  add_prefix_space?: boolean;
  prepend_scheme?: string;
  split?: boolean;
}

interface PostProcessor {
  type?: string;
  single?: object[];
  trim_offsets?: boolean;
  add_prefix_space?: boolean;
}

export interface AddedToken {
  content: string;
  normalized: boolean;
  single_word: boolean;
  lstrip: boolean;
  rstrip: boolean;
}

/**
 * The rules for a tokenizer of BERT's kind; undefined for any other. BERT's normalizer works character by character,
 * except for combining marks, which stay with the character before them; its pre-tokenizer splits at white space and on
 * both sides of punctuation; WordPiece sees one word at a time. So a text can be cut at spaces and beside ASCII
 * punctuation, which the normalizer leaves unchanged. Other spaces and punctuation stay inside words here; the native
 * tokenizer splits those.
 */
export function wordRules(json: TokenizerJson): WordRules | undefined {
  const { normalizer, pre_tokenizer: preTokenizer, model, post_processor: postProcessor } = json;
  if (model?.type !== 'WordPiece' || preTokenizer?.type !== 'BertPreTokenizer') return undefined;
  if (normalizer && normalizer.type !== 'BertNormalizer') return undefined;
  if (postProcessor && !keepsTokens(postProcessor)) return undefined;

  const units = unitsOf(normalizer?.handle_chinese_chars === true);
  const rules: DraftRules = {
    units,
    reaching: [],
    added: [],
    maxWordCharacters: model.max_input_chars_per_word ?? 100,
    canSplitLongWords: true,
  };
  const tokens = (json.added_tokens ?? []).filter(({ content }) => content !== '');
  return tokens.every((token) => allowsCutting(token, rules)) ? rules : undefined;
}

/** The role of each UTF-16 unit in words, without added tokens. */
function unitsOf(splitsChinese: boolean): Uint8Array {
  const units = new Uint8Array(0x10000);
  for (let unit = 0x21; unit < 0x7f; unit += 1) {
    if (/[^0-9A-Za-z]/.test(String.fromCharCode(unit))) units[unit] = UNIT.alone;
  }
  // The normalizer puts spaces around these. Those beyond the basic plane stay inside words here.
  if (splitsChinese) {
    units.fill(UNIT.alone, 0x3400, 0x4dc0);
    units.fill(UNIT.alone, 0x4e00, 0xa000);
    units.fill(UNIT.alone, 0xf900, 0xfb00);
  }
  // Not U+000B and U+000C: the normalizer deletes those.
  for (const space of ' \t\n\r') units[space.charCodeAt(0)] = UNIT.space;
  return units;
}

/** Rules while added tokens still change them. */
interface DraftRules extends WordRules {
  reaching: string[];
  added: string[];
  canSplitLongWords: boolean;
}

/** Adds a token to the rules. Returns whether a text with it can still be cut into words. */
function allowsCutting(token: AddedToken, rules: DraftRules): boolean {
  if (/[ \t\n\r]/.test(token.content)) return false;
  const reaches = token.lstrip || token.rstrip || token.single_word;
  if (!token.normalized) {
    (reaches ? rules.reaching : rules.added).push(token.content);
    rules.units[token.content.charCodeAt(0)] = UNIT.added;
    return true;
  }
  // It is searched for in the normalized text, where other characters can have become its own.
  if (reaches || !/^[!-~]+$/.test(token.content)) return false;
  rules.canSplitLongWords = false;
  const [first = ''] = token.content;
  for (const one of [first.toLowerCase(), first.toUpperCase()]) rules.units[one.charCodeAt(0)] = UNIT.added;
  rules.units.fill(UNIT.added, 0x80);
  return true;
}

/** Whether a post-processor leaves the tokens of a text and their offsets unchanged, apart from special tokens. */
export function keepsTokens({ type, single, trim_offsets, add_prefix_space }: PostProcessor): boolean {
  if (type === 'BertProcessing') return true;
  if (type === 'RobertaProcessing') return trim_offsets === false || add_prefix_space === false;
  if (type !== 'TemplateProcessing') return false;
  return single?.filter((part) => 'Sequence' in part).length === 1;
}
