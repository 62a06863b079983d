import { describe } from 'vitest';
import { testPages } from './page-walks.ts';
import { STORES } from '../testing/storing-api.ts';

describe.each(STORES)('in %s', (_name, open) => testPages(open));
