/** The most numbers of a vector; no model has more. */
export const MOST_DIMS = 65_536;
/** The tolerance within which a vector counts as normalised, for vectors written as float32 or with fewer digits. */
const NORM_TOLERANCE = 1e-6;

/**
 * The numbers of a document's own vector: a list, in which a number may be kept as its text, or a list in a CSV cell.
 * Undefined if it is neither.
 */
export function vectorNumbers(given: unknown): number[] | undefined {
  const list: unknown = typeof given === 'string' ? listIn(given) : given;
  if (!Array.isArray(list) || list.length === 0 || list.length > MOST_DIMS) return undefined;
  const numbers: number[] = [];
  for (const one of list as unknown[]) {
    const number = typeof one === 'string' && one.trim() !== '' ? Number(one) : one;
    if (typeof number !== 'number' || !Number.isFinite(number)) return undefined;
    numbers.push(number);
  }
  return numbers;
}

/**
 * The L2-normalised vector for stores, or the fault that prevents it.
 *
 * @param dims of the collection's dense vector
 */
export function unitVector(numbers: readonly number[], dims: number): Float32Array | { fault: string } {
  if (numbers.length !== dims) {
    return { fault: `it has ${numbers.length} numbers, but the collection's vectors have ${dims}` };
  }
  let squares = 0;
  for (const number of numbers) squares += number * number;
  const norm = Math.sqrt(squares);
  if (!Number.isFinite(norm)) return { fault: 'its numbers are too large to normalise' };
  if (norm < Number.MIN_VALUE / Number.EPSILON)
    return { fault: 'all its numbers are 0, so it has no direction' };
  const scale = Math.abs(norm - 1) <= NORM_TOLERANCE ? 1 : 1 / norm;
  return Float32Array.from(numbers, (number) => number * scale);
}

function listIn(text: string): unknown {
  try {
    return text.trimStart().startsWith('[') ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}
