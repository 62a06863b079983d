import type { Query, QueryTask } from '@embedmill/jobs';

/** The most inputs of a message: a batch or two for a worker, so that another client's query waits only briefly. */
const MESSAGE_INPUTS = 64;
/** The most characters of a message, unless a single input has more: some 2,000 tokens, which take a tenth of a second. */
const MESSAGE_CHARACTERS = 8192;
/** The size that an input's token ids count as. */
const CHARACTERS_A_TOKEN = 4;
/** No token of any language covers more characters, so the model does not read what follows. */
const MOST_CHARACTERS_A_TOKEN = 64;

/** Tasks whose inputs are sent unchanged, because they do not run a model over texts. */
const WHOLE: ReadonlySet<QueryTask> = new Set(['images', 'terms', 'tokenize', 'detokenize']);

/**
 * A query whose inputs are truncated to what a model with this limit can read, the inputs that were truncated, and whether
 * the question was. So the model bounds what is sent to workers, not the request.
 */
export function headsOf(
  query: Query,
  maxTokens: number | undefined,
): { query: Query; cut: number[]; isQuestionCut: boolean } {
  if (maxTokens === undefined || WHOLE.has(query.task)) return { query, cut: [], isQuestionCut: false };
  const fromEnd = 'keep' in query && query.keep === 'end';
  const cut: number[] = [];
  const inputs = (query.inputs as (string | number[])[]).map((input, n) => {
    // One token more than the limit, so that the worker can detect the truncation.
    const most = typeof input === 'string' ? maxTokens * MOST_CHARACTERS_A_TOKEN : maxTokens + 1;
    if (input.length <= most) return input;
    cut.push(n);
    if (typeof input !== 'string') return fromEnd ? input.slice(-most) : input.slice(0, most);
    return fromEnd ? lastCharacters(input, most) : wholeCharacters(input, most);
  });
  const head = { ...query, inputs } as Query;
  // Each message carries the question.
  const question = head.task === 'rerank' ? head.query : '';
  if (head.task === 'rerank') head.query = wholeCharacters(question, maxTokens * MOST_CHARACTERS_A_TOKEN);
  return { query: head, cut, isQuestionCut: head.task === 'rerank' && head.query.length < question.length };
}

/** A part of a query; its first input is the query's input `from`. */
export interface QueryMessage {
  message: Query;
  from: number;
}

/** A query as messages of bounded size, in its order. */
export function messagesOf(query: Query): QueryMessage[] {
  const messages: QueryMessage[] = [];
  const add = (from: number, to?: number) =>
    messages.push({ message: { ...query, inputs: query.inputs.slice(from, to) } as Query, from });
  let from = 0;
  let characters = 0;
  for (const [at, input] of query.inputs.entries()) {
    const size = sizeOf(input);
    if (at - from >= MESSAGE_INPUTS || (at > from && characters + size > MESSAGE_CHARACTERS)) {
      add(from, at);
      from = at;
      characters = 0;
    }
    characters += size;
  }
  add(from);
  return messages;
}

function sizeOf(input: string | number | number[]): number {
  if (typeof input === 'string') return input.length;
  return typeof input === 'number' ? 0 : input.length * CHARACTERS_A_TOKEN;
}

/** The first `most` units of a text, without half of a pair at the end. */
function wholeCharacters(text: string, most: number): string {
  if (text.length <= most) return text;
  const isHalf = (text.charCodeAt(most - 1) & 0xfc00) === 0xd800;
  return text.slice(0, isHalf ? most - 1 : most);
}

/** The last `most` units of a text, without half of a pair at the start. */
function lastCharacters(text: string, most: number): string {
  const from = text.length - most;
  return text.slice((text.charCodeAt(from) & 0xfc00) === 0xdc00 ? from + 1 : from);
}
