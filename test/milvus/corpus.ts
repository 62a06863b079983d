/**
 * Documents and queries for comparing stores. Some documents have the same text, so that there are ties; some have
 * several chunks.
 */
const ANIMALS = ['dog', 'hen', 'carp', 'fox', 'crow', 'bee', 'horse', 'owl'];
const PLACES = ['in the garden', 'by the river', 'on the roof', 'near the bank', 'at the market'];
const DEEDS = [
  'It slept through the whole afternoon.',
  'It looked for food among the stones.',
  'Nobody knew to whom it belonged.',
  'The children followed it for an hour.',
  'Later the rain came, and it went away.',
  'A photograph of it hangs in the town hall.',
];

export interface Line {
  id: string;
  text: string;
  metadata: { year: number; tags: string[]; place: { lat: number; lon: number } };
}

const at = <T>(list: readonly T[], n: number): T => list[n % list.length] as T;

function documentOf(n: number): Line {
  // Two of every four documents have the same text.
  const said = n % 4 === 3 ? n - 1 : n;
  const [animal, place] = [at(ANIMALS, said), at(PLACES, Math.floor(said / 3))];
  const sentences = Array.from({ length: n % 16 === 5 ? 60 : 6 }, (_, k) =>
    at(DEEDS, said * 7 + k * (said % 5)),
  );
  return {
    id: `d${n}`,
    text: `A ${animal} was seen ${place}, for the ${said % 9}th time. ${sentences.join(' ')}`,
    metadata: { year: 2000 + (n % 7), tags: [animal, place], place: { lat: 52 + (n % 5), lon: 13 } },
  };
}

export const DOCUMENTS = Array.from({ length: 320 }, (_, n) => documentOf(n));
/** A later job: deletes some documents and replaces some. */
export const DELETED = DOCUMENTS.slice(40, 80).map(({ id }) => ({ id, deleted: true }));
export const REPLACED = DOCUMENTS.slice(100, 140).map((line, n) => ({ ...documentOf(320 + n), id: line.id }));
export const LEFT = DOCUMENTS.filter(({ id }) => DELETED.every((gone) => gone.id !== id)).map(({ id }) => id);

export const QUERIES = [
  ...ANIMALS,
  ...PLACES,
  'a bird with black feathers',
  'fish',
  'insects looking for flowers',
  'an animal that sleeps in the afternoon',
  'children and rain',
  'the town hall',
  'who owns it?',
];
export const FILTERS = [
  { field: 'year', gte: 2002, lt: 2005 },
  { not: { field: 'tags', prefix: 'b' } },
  { field: 'place', geo: { lat: 53, lon: 13, radius: 150_000 } },
  {
    and: [
      { field: 'tags', eq: 'fox' },
      { field: 'year', in: [2000, 2003, 2006] },
    ],
  },
];
export const PROFILE = {
  sparse: { bm25: {} },
  filterable: { year: 'integer', tags: 'keyword', place: 'geo' },
};
