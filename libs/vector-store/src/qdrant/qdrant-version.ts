import { EmbedmillError } from '@embedmill/jobs';

/** The features that embedmill requires and not every Qdrant version has, oldest first. */
const NEEDS = [
  { since: [1, 16], what: 'conditional writes, which let a later submission win' },
  { since: [1, 18], what: 'adding a vector to a collection, which migrations to another model need' },
] as const;

/**
 * @param where the server, for the message
 * @param version as reported by the server; an unreadable one is accepted
 * @throws EmbedmillError `store_unavailable` if the version lacks a feature, which the message names.
 */
export function assertSufficient(where: string, version: string | undefined): void {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version ?? '') ?? [];
  if (major === undefined || minor === undefined) return;
  const isBefore = ([one, two]: readonly [number, number]) =>
    Number(major) < one || (Number(major) === one && Number(minor) < two);
  const lacking = NEEDS.filter(({ since }) => isBefore(since));
  const last = NEEDS.at(-1)?.since.join('.');
  if (lacking.length === 0) return;
  const lacks = lacking.map(({ what, since }) => `${what} (${since.join('.')})`).join('; ');
  throw new EmbedmillError(
    'store_unavailable',
    `${where}: version ${version} is too old; embedmill needs Qdrant ${last} or later, because this version lacks: ${lacks}`,
  );
}
