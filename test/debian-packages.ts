import { spawnSync } from 'node:child_process';

/** apt's knowledge of a package, as a document. */
export interface PackageDocument {
  id: string;
  title: string;
  text: string;
  metadata: { section: string; version: string };
}

/** The fields of a stanza of `apt-cache dumpavail`; continuation lines begin with a space. */
const FIELD = /^([A-Z][A-Za-z-]*): ?(.*(?:\n[ \t].*)*)/gm;

/**
 * Descriptions and dependencies of at most this many packages, from this machine's apt; empty if apt has no lists. They
 * belong to Debian or Ubuntu, and are not shipped with the tests.
 */
export function packageDocuments(most: number): PackageDocument[] {
  const { stdout, status } = spawnSync('apt-cache', ['dumpavail'], { encoding: 'utf8', maxBuffer: 2 ** 30 });
  if (status !== 0) return [];
  const documents = new Map<string, PackageDocument>();
  for (const stanza of stdout.split('\n\n')) {
    const fields = new Map(
      Array.from(stanza.matchAll(FIELD), ([, name, value]) => [name ?? '', value ?? '']),
    );
    const [id, about] = [fields.get('Package'), fields.get('Description') ?? fields.get('Description-en')];
    if (id === undefined || about === undefined || documents.has(id)) continue;
    const [tags, depends] = [fields.get('Tag'), fields.get('Depends')];
    const text = [
      `${about}.`,
      ...(tags === undefined ? [] : [`It is tagged ${tags}.`]),
      ...(depends === undefined ? [] : depends.split(', ')).map((one) => `It depends on ${one}.`),
    ].join('\n');
    const metadata = { section: fields.get('Section') ?? '', version: fields.get('Version') ?? '' };
    documents.set(id, { id, title: id, text, metadata });
    if (documents.size === most) break;
  }
  return [...documents.values()];
}

/**
 * Two snapshots of this many packages: for each hundred of the first, the second has two changed, two removed and two
 * added.
 */
export function packageSnapshots(documents: readonly PackageDocument[], count: number) {
  const first = documents.slice(0, count);
  const added = documents.slice(count, count + Math.floor(count / 50));
  const removed = first.filter((_, n) => n % 50 === 7);
  const changed = first
    .filter((_, n) => n % 50 === 31)
    .map((one) => ({
      ...one,
      text: one.text.replace(/\.(\n|$)/, '.\nIt was changed since the last release.$1'),
    }));
  const byId = new Map(changed.map((one) => [one.id, one]));
  const kept = first.filter((one) => !removed.includes(one)).map((one) => byId.get(one.id) ?? one);
  return { first, second: [...kept, ...added], added, removed, changed };
}
