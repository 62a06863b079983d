import { collections } from './zh/collections.ts';
import { failures } from './zh/failures.ts';
import { jobs } from './zh/jobs.ts';
import { keys } from './zh/keys.ts';
import { map } from './zh/map.ts';
import { models } from './zh/models.ts';
import { overview } from './zh/overview.ts';
import { search } from './zh/search.ts';
import { shell } from './zh/shell.ts';
import { submit } from './zh/submit.ts';
import { usage } from './zh/usage.ts';
import type { Word } from './words.ts';

/** The console's texts in Chinese. `en.ts` has the same in English. */
export const zh = {
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
} satisfies Record<Word, string>;
