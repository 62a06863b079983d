export { averageLengthOf, type LengthOptions } from './average-length.ts';
export { bm25Document, bm25Query } from './bm25.ts';
export { bm42Document, bm42Query } from './bm42.ts';
export { stemmerOf, type Stemmer } from './languages.ts';
export { termId } from './term-id.ts';
export { termNames } from './term-names.ts';
export { topTerms } from './vector.ts';
export { wordsOf, type Word } from './words.ts';
