import type { Priority } from '../../server/shapes.ts';

export type { Priority };

/** Highest priority first. */
export const PRIORITY_NAMES = ['urgent', 'normal', 'background'] as const satisfies readonly Priority[];
