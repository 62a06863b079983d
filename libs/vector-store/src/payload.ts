import type { PointPayload } from './store.ts';

type Pictured = 'image' | 'timestamp';

/** A payload as it should be; those that were stored before documents had pictures lack what is of them. */
export function wholePayload(
  stored: Omit<PointPayload, Pictured> & Partial<Pick<PointPayload, Pictured>>,
): PointPayload {
  return { image: null, timestamp: null, ...stored };
}
