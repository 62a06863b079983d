import type { PointPayload } from './store.ts';

type Later = 'image' | 'timestamp' | 'sequence';

/** A payload as it should be; those that were stored before there were pictures or sequences lack what is of them. */
export function wholePayload(
  stored: Omit<PointPayload, Later> & Partial<Pick<PointPayload, Later>>,
): PointPayload {
  return { image: null, timestamp: null, sequence: 0, ...stored };
}
