import type { Json } from './json.ts';

export interface GeoPoint {
  /** Degrees, −90 to 90. */
  lat: number;
  /** Degrees, −180 to 180. */
  lon: number;
}

/** The value of a metadata field; dots lead into objects, but not into lists of objects. */
export function metadataAt(metadata: { readonly [key: string]: Json }, field: string): Json | undefined {
  let at: Json | undefined = metadata as { [key: string]: Json };
  for (const key of field.split('.')) {
    if (typeof at !== 'object' || at === null || Array.isArray(at) || !Object.hasOwn(at, key))
      return undefined;
    at = at[key];
  }
  return at;
}

/** A value as a place on Earth, or undefined if it is none. */
export function geoPointOf(value: unknown): GeoPoint | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { lat, lon } = value as Record<string, unknown>;
  const isPlace =
    typeof lat === 'number' && Math.abs(lat) <= 90 && typeof lon === 'number' && Math.abs(lon) <= 180;
  return isPlace ? { lat, lon } : undefined;
}

/** The same metadata with another value in an existing field. */
export function withMetadataAt(
  metadata: { readonly [key: string]: Json },
  field: string,
  value: Json,
): { [key: string]: Json } {
  const dot = field.indexOf('.');
  if (dot === -1) return { ...metadata, [field]: value };
  const [key, rest] = [field.slice(0, dot), field.slice(dot + 1)];
  return { ...metadata, [key]: withMetadataAt(metadata[key] as { [key: string]: Json }, rest, value) };
}
