import { collections } from './en/collections.ts';
import { failures } from './en/failures.ts';
import { jobs } from './en/jobs.ts';
import { keys } from './en/keys.ts';
import { map } from './en/map.ts';
import { models } from './en/models.ts';
import { overview } from './en/overview.ts';
import { search } from './en/search.ts';
import { shell } from './en/shell.ts';
import { submit } from './en/submit.ts';
import { usage } from './en/usage.ts';

/** The console's texts in English. `zh.ts` has the same in Chinese. */
export const en = {
  ...shell,
  ...overview,
  ...jobs,
  ...failures,
  ...collections,
  ...search,
  ...submit,
  ...models,
  ...usage,
  ...keys,
  ...map,
} as const;
