export { combineExamples, cosine, likeness, shortened, withFeedback } from './dense.ts';
export { base64Vector, encodedVector } from './encoded-vector.ts';
export { explainMatch, type TermMatch } from './explanation.ts';
export {
  fuseByRank,
  fuseByScore,
  standardScores,
  type FusedKey,
  type RankedList,
  type ScoredKey,
} from './fusion.ts';
export { bestOfEach } from './groups.ts';
export { highlighter, type Stretch } from './highlights.ts';
export {
  lateInteraction,
  lateInteractionOf,
  maxSimilarities,
  tokenWeights,
  type Emphasis,
} from './late-interaction.ts';
export { quantized, type VectorForm } from './quantized.ts';
export { asBytes, pooledTokens } from './token-pooling.ts';
export { meanInterval, ndcgAt, recallAt, reciprocalRank, type Interval, type Relevance } from './measures.ts';
