import type { PointPayload } from './store.ts';

type Later = 'image' | 'timestamp' | 'sequence';

/** A complete payload; those stored before pictures or sequences existed lack these fields. */
export function wholePayload(
  stored: Omit<PointPayload, Later> & Partial<Pick<PointPayload, Later>>,
): PointPayload {
  return { image: null, timestamp: null, sequence: 0, ...stored };
}
