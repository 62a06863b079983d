/** The first item of each group, in order; for hits, best first, that is each group's best. */
export function bestOfEach<T>(items: readonly T[], groupOf: (item: T) => string): T[] {
  const seen = new Set<string>();
  return items.filter((item) => {
    const group = groupOf(item);
    if (seen.has(group)) return false;
    seen.add(group);
    return true;
  });
}
