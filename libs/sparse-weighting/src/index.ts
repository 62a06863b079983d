export { analyzerOf, type Analyzer } from './analysis.ts';
export { averageLengthOf } from './average-length.ts';
export { bm25Document, bm25Query } from './bm25.ts';
export { bm42Document, bm42Query } from './bm42.ts';
export { languageOfTexts } from './language-of-texts.ts';
export { termId } from './term-id.ts';
export { termNames } from './term-names.ts';
export { topTerms } from './vector.ts';
export type { Term } from './words.ts';
