import { z } from 'zod';

/**
 * The place of a submission in the order of acceptance: microseconds since 1970 as the queue's server counts them, two
 * more than the last one at least, and below 2^53. So there is a place between any two, for what is deleted of the one and
 * keeps nothing of the other away. A retry and a verification have that of the job they repeat. What
 * comes from before there were sequences has 0: everything is later.
 */
export const sequenceSchema = z.int().nonnegative().default(0);
