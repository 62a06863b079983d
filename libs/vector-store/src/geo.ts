import type { GeoArea, GeoPoint } from '@embedmill/jobs';

/** Metres: the Earth's mean radius (IUGG). */
const EARTH = 6_371_008.8;

/** Degrees; `west` is greater than `east` if the box crosses the 180th meridian. */
export interface GeoBox {
  north: number;
  south: number;
  west: number;
  east: number;
}

export function isInArea(place: GeoPoint, area: GeoArea): boolean {
  if ('radius' in area) return distance(place, area) <= area.radius;
  const { north, south } = area;
  return place.lat <= north && place.lat >= south && isBetween(place.lon, area);
}

/** A box that contains the whole area. */
export function boxAround(area: GeoArea): GeoBox {
  if (!('radius' in area)) return area;
  // Slightly larger than the circle, to allow for rounding.
  const angle = (area.radius / EARTH) * (1 + 1e-9) + 1e-9;
  const lat = radians(area.lat);
  const [south, north] = [lat - angle, lat + angle];
  // A circle that contains a pole covers all meridians.
  const isPolar = north >= Math.PI / 2 || south <= -Math.PI / 2;
  const spread = isPolar ? Math.PI : Math.asin(Math.min(1, Math.sin(angle) / Math.cos(lat)));
  const [west, east] = [area.lon - degrees(spread), area.lon + degrees(spread)];
  return {
    north: Math.min(90, degrees(north)),
    south: Math.max(-90, degrees(south)),
    ...(east - west >= 360 ? { west: -180, east: 180 } : { west: wrapped(west), east: wrapped(east) }),
  };
}

/** Metres along the surface: the haversine formula. */
function distance(a: GeoPoint, b: GeoPoint): number {
  const half = (from: number, to: number) => Math.sin(radians(to - from) / 2) ** 2;
  const across =
    half(a.lat, b.lat) + Math.cos(radians(a.lat)) * Math.cos(radians(b.lat)) * half(a.lon, b.lon);
  return 2 * EARTH * Math.asin(Math.min(1, Math.sqrt(across)));
}

function isBetween(lon: number, { west, east }: { west: number; east: number }): boolean {
  return west <= east ? lon >= west && lon <= east : lon >= west || lon <= east;
}

const radians = (angle: number): number => (angle * Math.PI) / 180;
const degrees = (angle: number): number => (angle * 180) / Math.PI;
const wrapped = (lon: number): number => (lon > 180 ? lon - 360 : lon < -180 ? lon + 360 : lon);
