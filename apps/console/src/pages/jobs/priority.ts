import type { Priority } from '../../server/shapes.ts';

export type { Priority };

/** The first comes before the others. */
export const PRIORITY_NAMES = ['urgent', 'normal', 'background'] as const satisfies readonly Priority[];
