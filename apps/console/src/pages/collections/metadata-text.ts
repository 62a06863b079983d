/** A value of a document's metadata, to be read: a list of plain values without its brackets and quotes. */
export function metadataText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every(isPlain)) return value.join(', ');
  return JSON.stringify(value);
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
