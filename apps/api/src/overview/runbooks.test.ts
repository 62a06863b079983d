import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { anchorOf, RUNBOOKS, type Runbook } from './runbooks.ts';

const text = readFileSync(new URL('../../../../docs/runbooks.md', import.meta.url), 'utf8');

test.each(Object.keys(RUNBOOKS) as Runbook[])('%s is told in the words of its runbook', (runbook) => {
  const section = text.split(`\n## ${runbook}\n`)[1]?.split('\n## ')[0];
  expect(section).toContain(`**Means**: ${RUNBOOKS[runbook].means}\n`);
  expect(`${section}\n`).toContain(`**Do**: ${RUNBOOKS[runbook].todo}\n`);
});

test('an anchor is the one that Markdown derives from the heading', () => {
  expect(anchorOf('The disk is full')).toBe('docs/runbooks.md#the-disk-is-full');
  expect(anchorOf('EmbedmillQueueStuck')).toBe('docs/runbooks.md#embedmillqueuestuck');
});
