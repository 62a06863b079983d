import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { documentChangeSchema, type DocumentChange, type Job } from '@embedmill/jobs';
import type { Client } from '@embedmill/client';
import type { Context } from '../command-host.ts';
import { CommandError, EXIT, type ExitCode } from '../exit.ts';
import { followWithProgress, jobReport } from './job-report.ts';
import { cut, grouped, oneLine } from '../terminal/text.ts';

/** The most listed documents for each kind of change. */
const NAMED = 10;

type FirstIds = Record<DocumentChange['change'], string[]>;

/** Follows a dry run to its end and reports what its job would change. Returns the exit code that the job would have. */
export async function reportDryRun(context: Context, client: Client, id: string): Promise<ExitCode> {
  const { terminal } = context;
  const job = await followWithProgress(context, client, id);
  const first = job.output === null ? noIds() : await firstIds(client, job);
  const { added, stored, skipped: unchanged, deleted, gone, failed } = job;
  const changed = stored - added;
  if (terminal.json) terminal.printJson({ ...jobReport(job), changed, unchanged, first });
  terminal.print(
    `${grouped(added)} would be added, ${grouped(changed)} changed, ${grouped(deleted)} deleted, ${grouped(gone)} are gone; ` +
      `${grouped(unchanged)} are unchanged, ${grouped(failed)} would fail`,
  );
  for (const [change, ids] of Object.entries(first)) {
    if (ids.length > 0) terminal.print(`  ${change}: ${cut(oneLine(ids.join(', ')), terminal.width)}`);
  }
  if (job.error !== null) throw new CommandError(`${job.error.code}: ${job.error.message}`);
  return failed > 0 ? EXIT.documentsFailed : EXIT.ok;
}

async function firstIds(client: Client, { id }: Job): Promise<FirstIds> {
  const first = noIds();
  const input = Readable.from(client.jobs.output(id));
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    const { change, id: document } = documentChangeSchema.parse(JSON.parse(line));
    if (first[change].length < NAMED) first[change].push(document);
  }
  return first;
}

const noIds = (): FirstIds => ({ added: [], changed: [], deleted: [], gone: [] });
