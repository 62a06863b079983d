import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '@embedmill/client';
import { Embedmill } from '../embedmill.ts';
import { CONTRACT, ContractRun } from '../../packages/client/contract/contract-run.ts';
import { checksOf, pythonWith } from './python.ts';

/** embedmill's own clients against a real server: the same cases in each language. */
const PACKAGE = join(import.meta.dirname, '../../clients/python');
const python = await pythonWith(join(PACKAGE, 'requirements.txt'), 'python-client');

let mill: Embedmill;
let url: string;
beforeAll(async () => {
  mill = await Embedmill.up();
  ({ url } = await mill.state());
});
afterAll(() => mill?.stop());

describe('in TypeScript', () => {
  let run: ContractRun;
  beforeAll(() => {
    run = new ContractRun(createClient({ url }), 'typescript');
  });
  test.for(CONTRACT)('$name', (one) => run.check(one));
});

const reason = 'missing' in python ? ` (skipped: ${python.missing})` : '';
test.skipIf('missing' in python).for(['sync', 'async'])(`in Python, %s${reason}`, async (kind) => {
  if ('missing' in python) return;
  const checks = await checksOf(python.command, kind, url, {
    script: 'contract.py',
    path: join(PACKAGE, 'src'),
  });
  expect(checks.map(({ check }) => check)).toEqual(CONTRACT.map(({ name }) => name));
  expect(checks.filter(({ error }) => error !== null)).toEqual([]);
});

test.skipIf('missing' in python).for(['sync', 'async'])(
  `in Python, %s, an interrupted upload resumes${reason}`,
  async (kind) => {
    if ('missing' in python) return;
    const how = { script: 'resumed.py', path: join(PACKAGE, 'src') };
    const checks = await checksOf(python.command, kind, url, how);
    expect(checks).toEqual([{ check: 'a file goes on where it was', error: null }]);
  },
);
