import { z } from 'zod';

/**
 * The place of a submission in the order of acceptance: microseconds since 1970 by the clock of the queue's server, at
 * least two more than the previous one, and below 2^53. So there is a place between any two, for a deletion that
 * affects the first but not the second. A retry and a verification have the sequence of the job that they repeat. Data
 * from before sequences existed has 0, so that everything else is later.
 */
export const sequenceSchema = z.int().nonnegative().default(0);
