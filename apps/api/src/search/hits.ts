import type { Collection, Hit, SearchRequest } from '@embedmill/jobs';
import { highlighter } from '@embedmill/retrieval';
import { analyzerOf } from '@embedmill/sparse-weighting';
import type { PointPayload, VectorStore } from '@embedmill/vector-store';
import { namedTenant } from '../access/principal.ts';
import { LoopShare } from '../http/loop-share.ts';
import type { QueryLane } from '../queries/query-lane.ts';
import { AnswerRoom, sizeOf } from './answer-size.ts';
import { explanationsOf, matchesOf } from './explanations.ts';
import type { Found } from './found.ts';
import type { QueryVectors } from './query-vectors.ts';

interface HitParts {
  store: VectorStore;
  lane: QueryLane;
}

/** The found points as hits of the API, as far as a response has room, with requested highlights and explanations. */
export async function hitsOf(
  all: readonly Found[],
  { highlight, explain }: Pick<SearchRequest, 'highlight' | 'explain'>,
  questions: readonly QueryVectors[],
  collection: Collection,
  parts: HitParts,
): Promise<Hit[]> {
  const room = new AnswerRoom();
  const explained = { questions, collection, ...parts };
  const matched = explain ? await matchesOf(all, explained, room) : undefined;
  const end = matched?.length ?? all.findIndex(({ point: { payload } }) => !room.take(sizeOf(payload)));
  const found = end === -1 ? all : all.slice(0, end);
  const explanations = matched && (await explanationsOf(found, matched, explained));
  const stretchesOf = highlight ? highlighterFor(questions, collection) : undefined;
  const share = new LoopShare();
  const hits: Hit[] = [];
  for (const [n, one] of found.entries()) {
    await share.step();
    const { text, start } = one.point.payload;
    const highlights = stretchesOf?.(text).map((stretch) => ({
      start: start + stretch.start,
      end: start + stretch.end,
    }));
    hits.push({
      ...hitOf(one),
      ...(highlights !== undefined && { highlights }),
      ...(explanations !== undefined && { explanation: explanations[n] ?? [] }),
    });
  }
  return hits;
}

/** A hit without highlights and explanation. */
function hitOf({ point: { payload }, score, scores, shares }: Found): Hit {
  const { document_id: id, tenant, text, title, metadata, image } = payload;
  return {
    id,
    ...namedTenant(tenant),
    score,
    text,
    title,
    metadata,
    ...(image !== null && { image }),
    chunk: chunkOf(payload),
    scores,
    ...(shares !== undefined && scores.rerank === undefined && { shares }),
  };
}

function chunkOf(payload: PointPayload): Hit['chunk'] {
  const { chunk_index: index, chunk_count: count, start, end, timestamp, structure } = payload;
  return {
    index,
    count,
    start,
    end,
    ...(timestamp !== null && { timestamp }),
    ...(structure?.headings !== undefined && { headings: [...structure.headings] }),
    ...(structure?.pages !== undefined && { pages: structure.pages.map(({ number }) => number) }),
  };
}

/** Highlights by the analysis of the collection's word vectors. */
function highlighterFor(questions: readonly QueryVectors[], { profile, analysis }: Collection) {
  const texts = questions.flatMap(({ text }) => text ?? []);
  const { bm25, bm42 } = profile.sparse;
  return highlighter(texts, analyzerOf(bm25?.language ?? bm42?.language ?? 'english', analysis));
}
