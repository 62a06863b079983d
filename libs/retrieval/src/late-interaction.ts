/** How much a query's token that is met well counts over ones that are met half: by trying on Cranfield. */
const SHARPNESS = 4;

/**
 * How well a document answers a query, token by token (Khattab and Zaharia, ColBERT, 2020): for each of the query's tokens
 * the greatest cosine with any of the document's, here to the fourth power, averaged over the query's tokens by their
 * weights. From 0 to 1.
 *
 * Query and document are tokens × dims, each row of length 1; without special tokens, which stand for no word.
 */
export function lateInteraction(
  query: Float32Array,
  weights: ArrayLike<number>,
  document: Float32Array,
  dims: number,
): number {
  if (document.length === 0) return 0;
  let sum = 0;
  let total = 0;
  for (let token = 0; token * dims < query.length; token += 1) {
    const weight = weights[token] ?? 0;
    if (weight === 0) continue;
    total += weight;
    sum += weight * Math.max(0, nearest(query, token * dims, document, dims)) ** SHARPNESS;
  }
  return total === 0 ? 0 : sum / total;
}

/** The greatest product of one row with the document's. Four sums at once: the machine adds them side by side. */
function nearest(query: Float32Array, from: number, document: Float32Array, dims: number): number {
  let greatest = -Infinity;
  const even = dims - (dims % 4);
  for (let row = 0; row < document.length; row += dims) {
    let [a, b, c, d] = [0, 0, 0, 0];
    let n = 0;
    for (; n < even; n += 4) {
      a += (query[from + n] as number) * (document[row + n] as number);
      b += (query[from + n + 1] as number) * (document[row + n + 1] as number);
      c += (query[from + n + 2] as number) * (document[row + n + 2] as number);
      d += (query[from + n + 3] as number) * (document[row + n + 3] as number);
    }
    for (; n < dims; n += 1) a += (query[from + n] as number) * (document[row + n] as number);
    const product = a + b + c + d;
    if (product > greatest) greatest = product;
  }
  return greatest;
}
