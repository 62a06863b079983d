import { join } from 'node:path';
import { EmbedmillError } from '@embedmill/jobs';
import { currentPrincipal } from '../access/principal.ts';
import type { ApiParts } from '../parts.ts';
import type { Readable } from './source-files.ts';

/** The places that the current request may have the server read. Errors: `source_forbidden`. */
export function readable({ config, spool }: Pick<ApiParts, 'config' | 'spool'>): Readable {
  return {
    sourceFolder: sourceFolder(config),
    s3Sources: belowTenant(config.s3Sources),
    s3: spool.s3,
  };
}

/** For a key of a tenant, the subfolder with the tenant's name; the other subfolders belong to other tenants. */
function sourceFolder({ sourceFolder: folder }: ApiParts['config']): string | undefined {
  const own = tenantFolder();
  return folder === undefined || own === undefined ? folder : join(folder, own);
}

/** Like `sourceFolder`, for places in buckets. */
export function belowTenant(places: readonly string[]): readonly string[] {
  const own = tenantFolder();
  return own === undefined ? places : places.map((place) => `${place.replace(/\/$/, '')}/${own}`);
}

/** Undefined if the key is not bound to a tenant. Errors: `source_forbidden`. */
function tenantFolder(): string | undefined {
  const { tenant, name } = currentPrincipal();
  if (tenant === undefined || /^[\w-][\w.-]*$/.test(tenant)) return tenant;
  const message = `${name} may not read files or buckets on this server, because its tenant's name is not a valid folder name; upload the file`;
  throw new EmbedmillError('source_forbidden', message);
}
