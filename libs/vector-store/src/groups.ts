/** Cuts a list into lists of at most so many. */
export function groups<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}

/** Cuts a list into lists of at most `size` that come to at most so many bytes each, but for what is larger alone. */
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
