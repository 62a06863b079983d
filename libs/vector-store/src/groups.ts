/** Splits a list into lists of at most this length. */
export function groups<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}

/**
 * Splits a list into lists of at most `size` items with at most this many bytes each; a larger item gets its own list.
 */
export function groupsOfBytes<T>(
  items: readonly T[],
  most: number,
  bytesOf: (item: T) => number,
  size = Infinity,
): T[][] {
  const cut: T[][] = [];
  let room = 0;
  for (const item of items) {
    const bytes = bytesOf(item);
    const last = cut.at(-1);
    if (last !== undefined && last.length < size && bytes <= room) last.push(item);
    else {
      cut.push([item]);
      room = most;
    }
    room -= bytes;
  }
  return cut;
}
