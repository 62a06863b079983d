import type { Sequence } from '@embedmill/embed/pipeline';
import { asEmbedmillError, EmbedmillError, type QueryOf, type Role } from '@embedmill/jobs';
import type { EncodedText, Prefix, Tokenizer } from '@embedmill/tokenization';

/** A client's input (a text or token ids), its prefix, and which end to keep if it is too long. */
export interface PromptedInput {
  input: string | number[];
  prompt: { role: Role; prefix?: string | undefined; keep?: Keep | undefined };
}

/** A text's tokens, truncated to the model's limit; `unknown` if the model knows none of them. */
export type ReadText = Sequence & { truncated: boolean; unknown: boolean };

type Keep = 'start' | 'end';

/** The prefix of texts, and the adapter that runs them if the model has several. */
type Prompt = Prefix & { adapter: number | undefined };

export const NO_TOKENS: ReadText = { ids: new Int32Array(), truncated: false, unknown: true };

/** Turns clients' inputs into a model's tokens: prefixed, framed with special tokens, and truncated. */
export class InputReader {
  readonly #model: string;
  readonly #tokenizer: Tokenizer;
  readonly #adapters: Readonly<Record<Role, number>> | undefined;
  /** Whether engines embed texts instead of tokens. */
  readonly #readsTexts: boolean;

  constructor(
    model: string,
    tokenizer: Tokenizer,
    { adapters, readsTexts }: { adapters: Readonly<Record<Role, number>> | undefined; readsTexts: boolean },
  ) {
    this.#model = model;
    this.#tokenizer = tokenizer;
    this.#adapters = adapters;
    this.#readsTexts = readsTexts;
  }

  /**
   * Where a query's tokens begin, without special ones; -1 for tokens outside of it. Unknown tokens are excluded, because
   * they are equal in all texts and would match unrelated ones.
   */
  placesOf({ ids, offsets = new Int32Array() }: EncodedText): Int32Array {
    const { start, end } = this.#tokenizer;
    return ids
      .subarray(start.length, ids.length - end.length)
      .map((id, n) => (this.#tokenizer.knowsToken(id) ? (offsets[2 * (start.length + n)] ?? -1) : -1));
  }

  /** Each input's tokens, or the error why it has none. */
  async readEach(given: readonly PromptedInput[]): Promise<(ReadText | EmbedmillError)[]> {
    const read: (ReadText | EmbedmillError)[] = given.map(() => NO_TOKENS);
    const alike = Map.groupBy(given.entries(), ([, { prompt }]) =>
      JSON.stringify([prompt.role, prompt.prefix, prompt.keep]),
    );
    for (const group of alike.values()) {
      const prompt = group[0]?.[1].prompt;
      if (prompt === undefined) continue;
      const before = await this.promptOf(prompt);
      const texts = group.flatMap(([, { input }]) => (isText(input) ? input : []));
      const tokens = (await this.read(texts, before, prompt.keep)).values();
      for (const [n, { input }] of group) {
        read[n] = isText(input)
          ? (tokens.next().value ?? NO_TOKENS)
          : await this.#readIds(input, 'input', before, prompt.keep).catch((error: unknown) =>
              asEmbedmillError(error),
            );
      }
    }
    return read;
  }

  /**
   * The inputs of a query. Errors: `invalid_request` for invalid inputs, and for vectors that are not available here.
   */
  async readQuery({
    inputs,
    keep,
    normalize = true,
    ...asked
  }: QueryOf<'embed' | 'states'>): Promise<ReadText[]> {
    if (!normalize && this.#readsTexts) {
      const message = `${this.#model} runs on a remote server, whose vectors are normalised to length 1; leave normalize out`;
      throw new EmbedmillError('invalid_request', message, { details: [{ path: 'normalize', message }] });
    }
    const read = await this.readAll(inputs, await this.promptOf(asked), keep);
    return normalize ? read : read.map((one) => ({ ...one, raw: true }));
  }

  /** Texts and token ids, in the order given. */
  async readAll(
    inputs: readonly (string | number[])[],
    prefix: Prompt,
    keep: Keep | undefined,
  ): Promise<ReadText[]> {
    const texts = (await this.read(inputs.filter(isText), prefix, keep)).values();
    return Promise.all(
      inputs.map(async (input, n) =>
        isText(input) ? (texts.next().value ?? NO_TOKENS) : this.#readIds(input, `inputs/${n}`, prefix, keep),
      ),
    );
  }

  async read(texts: readonly string[], prompt: Prompt, keep: Keep = 'start'): Promise<ReadText[]> {
    // If a remote server reads and truncates texts, the sent text must begin where the kept end begins.
    const offsets = this.#readsTexts && keep === 'end';
    const encoded = await this.#tokenizer.encode(texts, prompt, { keep, offsets });
    return encoded.map(({ ids, truncated, offsets: places }, n) => {
      const read = { ids, adapter: prompt.adapter, truncated, unknown: !this.#tokenizer.knows(ids, prompt) };
      if (!this.#readsTexts) return read;
      const text = texts[n] ?? '';
      return { ...read, text: prompt.text + (truncated ? text.slice(firstPlace(places)) : text) };
    });
  }

  /** The prefix of texts of a role, or its replacement. */
  async promptOf({ role, prefix }: { role: Role; prefix?: string | undefined }): Promise<Prompt> {
    const adapter = this.adapterOf(this.#roleOf(prefix) ?? role);
    const found =
      prefix === undefined ? this.#tokenizer.prefixFor(role) : await this.#tokenizer.prefixOf(prefix);
    return { ...found, adapter };
  }

  adapterOf(role: Role): number | undefined {
    return this.#adapters?.[role];
  }

  /** A prompt that equals a role's own prefix sets that role, whatever else is requested. */
  #roleOf(prefix: string | undefined): Role | undefined {
    const { queryPrefix, documentPrefix } = this.#tokenizer;
    if (prefix === undefined || queryPrefix === documentPrefix) return undefined;
    return prefix === queryPrefix ? 'query' : prefix === documentPrefix ? 'document' : undefined;
  }

  /** A client's token ids, with or without special tokens, prefixed and framed like those of a text. */
  async #readIds(given: number[], path: string, prefix: Prompt, keep: Keep = 'start'): Promise<ReadText> {
    this.refuseStrange(given, path);
    const { ids, truncated } = this.#tokenizer.encodeIds(given, prefix, keep);
    const { adapter } = prefix;
    const read = { ids, adapter, truncated, unknown: !this.#tokenizer.knows(ids, prefix) };
    if (!this.#readsTexts) return read;
    const { start, end } = this.#tokenizer;
    const own = ids.subarray(start.length + prefix.ids.length, ids.length - end.length);
    return { ...read, text: prefix.text + (await this.#tokenizer.decode(Array.from(own))) };
  }

  /** Ids outside of the vocabulary must not reach a device, because not all devices check bounds. */
  refuseStrange(given: readonly number[], path: string): void {
    const strange = [...new Set(given)].find((id) => this.#tokenizer.tokenText(id) === undefined);
    if (strange === undefined) return;
    const message = `the token id ${strange} is not in the vocabulary of ${this.#model}`;
    throw new EmbedmillError('invalid_request', `${path}: ${message}`, { details: [{ path, message }] });
  }
}

const isText = (input: string | number[]): input is string => typeof input === 'string';

/** The position of the first token after the prefix. */
function firstPlace(offsets: Int32Array = new Int32Array()): number {
  return offsets.find((place) => place !== -1) ?? 0;
}
