import type { NewKey as ApiKey } from '@embedmill/client';
import type { KeyView } from '../../server/shapes.ts';

const DAY_MS = 24 * 3600_000;

/** The fields of the form that creates a key. */
export interface NewKey {
  readonly name: string;
  readonly scopes: readonly KeyView['scopes'][number][];
  readonly tenant: string;
  readonly collections: string;
  /** Days; empty means that it never expires. */
  readonly expiresIn: string;
}

/** The key to request from the server. */
export function wantedKey({ name, scopes, tenant, collections, expiresIn }: NewKey, now: number): ApiKey {
  const names = collections.split(/[,\s]+/).filter((one) => one !== '');
  return {
    name: name.trim(),
    scopes: [...scopes],
    ...(tenant.trim() !== '' && { tenant: tenant.trim() }),
    ...(names.length > 0 && { collections: names }),
    ...(Number(expiresIn) > 0 && { expires: new Date(now + Number(expiresIn) * DAY_MS).toISOString() }),
  };
}

/** The command that adds this key to the keys file, which the server itself does not write. */
export function keyCommand({ name, scopes, tenant, collections, expiresIn }: NewKey, now: number): string {
  const expires = new Date(now + Number(expiresIn) * DAY_MS).toISOString().slice(0, 10);
  return [
    'embedmill keys create',
    `--name ${quoted(name.trim())}`,
    `--scopes ${scopes.join(',')}`,
    ...(tenant.trim() === '' ? [] : [`--tenant ${quoted(tenant.trim())}`]),
    ...(collections.trim() === '' ? [] : [`--collections ${quoted(collections.replaceAll(/\s/g, ''))}`]),
    ...(Number(expiresIn) > 0 ? [`--expires ${expires}`] : []),
  ].join(' ');
}

/** Quotes the text for a shell, if necessary. */
function quoted(text: string): string {
  return /^[\w.,@-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
