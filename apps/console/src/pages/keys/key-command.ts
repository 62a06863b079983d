/** What a new key is to be. */
export interface NewKey {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly tenant: string;
  readonly collections: string;
  /** Days; empty: without an end. */
  readonly expiresIn: string;
}

/** The command that makes a key: the server itself does not write its keys file. */
export function keyCommand({ name, scopes, tenant, collections, expiresIn }: NewKey, now: number): string {
  const expires = new Date(now + Number(expiresIn) * 24 * 3600_000).toISOString().slice(0, 10);
  return [
    'embedmill keys create',
    `--name ${quoted(name.trim())}`,
    `--scopes ${scopes.join(',')}`,
    ...(tenant.trim() === '' ? [] : [`--tenant ${quoted(tenant.trim())}`]),
    ...(collections.trim() === '' ? [] : [`--collections ${quoted(collections.replaceAll(/\s/g, ''))}`]),
    ...(Number(expiresIn) > 0 ? [`--expires ${expires}`] : []),
  ].join(' ');
}

/** As a shell takes it. */
function quoted(text: string): string {
  return /^[\w.,@-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
