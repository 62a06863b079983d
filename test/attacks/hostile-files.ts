import { setTimeout } from 'node:timers/promises';
import type { Job } from '@embedmill/jobs';
import type { Attack, Attacked } from './attacked.ts';

/** Files that push their parser to a limit: of time, memory or stack. */
const FILES: Readonly<Record<string, string>> = {
  'deep.html': `<html>${'<div>'.repeat(200_000)}`,
  'open.html': '<p>a<i>'.repeat(1_000_000),
  'quotes.md': `${'> '.repeat(10_000)}a`,
  'brackets.md': '['.repeat(200_000),
  'nested.cpp': 'namespace a{([{'.repeat(200_000),
  'circle.pdf':
    '%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj\n2 0 obj <</Type/Pages/Count 2/Kids[2 0 R 2 0 R]>> endobj\ntrailer <</Root 1 0 R/Size 3>>\n%%EOF',
};
const JOBS = 6;
/** The longest time for which the victim is watched meanwhile. */
const WATCHED_MS = 60_000;

export const HOSTILE_FILES: Attack = {
  name: 'jobs of files made to harm their reader',
  run: async (on) => {
    const answers: Record<string, number> = {};
    const jobs = await Promise.all(Array.from({ length: JOBS }, () => submit(on, answers)));
    const end = performance.now() + WATCHED_MS;
    for (const job of jobs) {
      while (job !== undefined && performance.now() < end && !(await hasEnded(on, job)))
        await setTimeout(200);
    }
    return answers;
  },
};

async function submit(on: Attacked, answers: Record<string, number>): Promise<Job | undefined> {
  const form = new FormData();
  for (const [name, source] of Object.entries(FILES)) form.append('file', new Blob([source]), name);
  const path = `/api/v1/collections/${on.collection}/jobs`;
  const answer = await on.call('attacker', 'POST', path, { body: form });
  answers[answer.status] = (answers[answer.status] ?? 0) + 1;
  const body = (await answer.json()) as Job;
  return answer.ok ? body : undefined;
}

async function hasEnded(on: Attacked, { id }: Job): Promise<boolean> {
  const { state } = (await (await on.call('attacker', 'GET', `/api/v1/jobs/${id}`)).json()) as Job;
  return state === 'completed' || state === 'failed';
}
