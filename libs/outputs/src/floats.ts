const MOST_DIGITS = 9;

/** Numbers as a JSON array, each with the fewest digits that read back as the same float32. */
export function shortestFloats(values: Float32Array): string {
  return `[${Array.from(values, shortestFloat).join(',')}]`;
}

function shortestFloat(value: number): string {
  for (let digits = 6; digits < MOST_DIGITS; digits += 1) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return String(text);
  }
  return String(Number(value.toPrecision(MOST_DIGITS)));
}
