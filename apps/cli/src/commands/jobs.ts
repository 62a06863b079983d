import { Argument, InvalidArgumentError, Option, type Command } from 'commander';
import type { Client, DocumentReport, RetrySelection } from '@embedmill/client';
import {
  isFinished,
  jobStateSchema,
  PRIORITIES,
  type Job,
  type JobState,
  type Priority,
} from '@embedmill/jobs';
import type { CommandHost } from '../command-host.ts';
import { EXIT } from '../exit.ts';
import { jobReport, waitForJob } from '../documents/job-report.ts';
import { integerBetween } from '../options/option-values.ts';
import { documentCount } from '../terminal/progress.ts';
import { grouped, oneLine, table } from '../terminal/text.ts';

interface ListOptions {
  collection?: string;
  state?: JobState;
  tenant?: string;
  source?: string;
  text?: string;
  limit: number;
  after?: string;
}

interface RetryOptions {
  wait?: boolean;
  reason?: string[];
  line?: number[];
  id?: string[];
}

const placeOf = ({ file, line }: DocumentReport): string =>
  file === undefined ? `line ${line}` : `${oneLine(file)}:${line}`;

export function addJobs(program: Command, host: CommandHost): void {
  addList(program, host);
  addWatch(program, host);
  addFailures(program, host);
  addRetry(program, host);
  addVerify(program, host);
  addWebhooks(program, host);
  addCancel(program, host);
  addPrioritize(program, host);
  addForget(program, host);
}

function addList(program: Command, host: CommandHost): void {
  program
    .command('jobs')
    .description('list the latest jobs')
    .option('-c, --collection <name>', 'only jobs of this collection')
    .addOption(new Option('--state <state>', 'only jobs in this state').choices(jobStateSchema.options))
    .option('--tenant <tenant>', 'only jobs of this tenant')
    .option('--source <source>', 'only jobs with this source or source name')
    .option('--text <text>', 'only jobs with this text in the id, collection, source or source name')
    .option('--limit <n>', 'the maximum number', integerBetween(1, 1000), 20)
    .option('--after <place>', 'continue after the jobs shown before, from the position given at their end')
    .action((options: ListOptions) =>
      host.run(async ({ client, terminal }) => {
        const { jobs, next } = await latestJobs(client(), options);
        if (terminal.json) terminal.printJson({ jobs: jobs.map(jobReport), next });
        if (jobs.length === 0) terminal.print('no jobs');
        else for (const line of jobTable(jobs)) terminal.print(line);
        if (next !== null) terminal.note(`there are more: --after ${next}`);
        return EXIT.ok;
      }),
    );
}

function addWatch(program: Command, host: CommandHost): void {
  program
    .command('watch')
    .description('follow a job to its end')
    .argument('<job>')
    .action((id: string) => host.run(async (context) => waitForJob(context, context.client(), id)));
}

function addFailures(program: Command, host: CommandHost): void {
  program
    .command('failures')
    .description('list the failed documents of a job and their errors')
    .argument('<job>')
    .option('--warnings', 'list the documents that were truncated or repeated later in the job instead')
    .action((id: string, { warnings }: { warnings?: boolean }) =>
      host.run(async ({ client, terminal }) => {
        const kind = warnings === true ? 'warnings' : 'failures';
        const found = client().jobs[kind](id);
        const reports: DocumentReport[] = [];
        let count = 0;
        let next = await found.next();
        for (; next.done !== true; next = await found.next()) {
          const report = next.value;
          count++;
          if (terminal.json) reports.push(report);
          terminal.print(
            `${placeOf(report)}  ${oneLine(report.id ?? '(no id)')}  ${report.code}: ${oneLine(report.message)}`,
          );
        }
        const more = next.value;
        if (more > 0) terminal.print(`and ${grouped(more)} more, which are not listed`);
        if (terminal.json) terminal.printJson({ job: id, [kind]: reports, more });
        else if (count === 0 && more === 0) terminal.note(`no ${kind}`);
        return EXIT.ok;
      }),
    );
}

function addRetry(program: Command, host: CommandHost): void {
  program
    .command('retry')
    .description('start a new job with only the failed documents of a job')
    .argument('<job>')
    .option('--reason <codes>', 'only documents that failed for these reasons, separated by commas', listOf)
    .option('--line <numbers>', 'only documents on these lines, separated by commas', linesOf)
    .option('--id <id...>', 'only documents with these ids')
    .option('--wait', 'follow the new job to its end')
    .action((id: string, { wait, reason, line, id: ids }: RetryOptions) =>
      host.run(async (context) => {
        const { terminal } = context;
        const client = context.client();
        // The server knows the reasons.
        const codes = reason as RetrySelection['codes'];
        const job = await client.jobs.retry(id, { codes, lines: line, ids });
        terminal.note(`job ${job.id} tries again what failed in ${id}`);
        if (wait === true) return waitForJob(context, client, job.id);
        if (terminal.json) terminal.printJson(jobReport(job));
        terminal.print(job.id);
        return EXIT.ok;
      }),
    );
}

function addVerify(program: Command, host: CommandHost): void {
  program
    .command('verify')
    .description('compare a job’s documents with the store and resubmit what is missing')
    .argument('<job>')
    .option('--wait', 'follow the new job to its end')
    .action((id: string, { wait }: { wait?: boolean }) =>
      host.run(async (context) => {
        const { terminal } = context;
        const client = context.client();
        const found = await client.jobs.verify(id);
        terminal.print(
          `job ${id} is ${found.state}: of ${grouped(found.documents)} documents ${grouped(found.stored)} are stored, ` +
            `${found.deleted > 0 ? `${grouped(found.deleted)} are deleted, ` : ''}` +
            `${grouped(found.failed)} are among its failures, ${grouped(found.missing)} are missing`,
        );
        if (found.recovered) terminal.note('the queue had lost the job; it was submitted again');
        if (found.resubmitted !== null)
          terminal.note(`job ${found.resubmitted} stores the missing documents`);
        const following = found.resubmitted ?? (isFinished(found.state) ? undefined : id);
        if (wait === true && following !== undefined) return waitForJob(context, client, following);
        if (terminal.json) terminal.printJson(found);
        return EXIT.ok;
      }),
    );
}

function addWebhooks(program: Command, host: CommandHost): void {
  program
    .command('webhooks')
    .description('list the deliveries to a job’s webhook')
    .argument('<job>')
    .action((id: string) =>
      host.run(async ({ client, terminal }) => {
        const deliveries = await client().jobs.webhookDeliveries(id);
        if (terminal.json) terminal.printJson({ job: id, deliveries });
        else if (deliveries.length === 0)
          terminal.note('there are no deliveries yet, or the job has no webhook');
        for (const { type, url, state, tries, lastError, nextTryAt } of deliveries) {
          const next = nextTryAt === null ? '' : `; next attempt ${timeOf(nextTryAt)} UTC`;
          const reason = lastError === null ? '' : `: ${oneLine(lastError)}`;
          terminal.print(`${type} to ${oneLine(url)}: ${state} after ${tries} attempts${reason}${next}`);
        }
        return EXIT.ok;
      }),
    );
}

function addCancel(program: Command, host: CommandHost): void {
  program
    .command('cancel')
    .description('stop a job; stored documents are kept')
    .argument('<job>')
    .action((id: string) =>
      host.run(async ({ client, terminal }) => {
        const job = await client().jobs.cancel(id);
        if (terminal.json) terminal.printJson(jobReport(job));
        terminal.print(`job ${job.id} ${isFinished(job.state) ? `is ${job.state}` : 'is being cancelled'}`);
        return EXIT.ok;
      }),
    );
}

function addPrioritize(program: Command, host: CommandHost): void {
  program
    .command('prioritize')
    .description('change the priority of an unfinished job among your jobs')
    .argument('<job>')
    .addArgument(new Argument('<priority>').choices(PRIORITIES))
    .action((id: string, priority: Priority) =>
      host.run(async ({ client, terminal }) => {
        const job = await client().jobs.prioritize(id, priority);
        if (terminal.json) terminal.printJson(jobReport(job));
        terminal.print(`job ${job.id} is ${job.priority} now`);
        return EXIT.ok;
      }),
    );
}

function addForget(program: Command, host: CommandHost): void {
  program
    .command('forget')
    .description('remove a finished job and its failures; stored documents are kept')
    .argument('<job>')
    .action((id: string) =>
      host.run(async ({ client, terminal }) => {
        await client().jobs.forget(id);
        if (terminal.json) terminal.printJson({ job: id, forgotten: true });
        terminal.print(`job ${id} is forgotten`);
        return EXIT.ok;
      }),
    );
}

const HEAD = 'JOB,COLLECTION,STATE,PRIORITY,DONE,DOCUMENTS,FAILED,SECONDS,CREATED (UTC)'.split(',');
/** Columns of numbers, which are right-aligned. */
const NUMBERS = [4, 5, 6, 7];

function jobTable(jobs: readonly Job[]): string[] {
  const rows = jobs.map((job) => [
    job.id,
    job.collection,
    job.state,
    job.priority,
    grouped(job.done),
    documentCount(job),
    grouped(job.failed),
    job.seconds.toFixed(1),
    timeOf(job.createdAt),
  ]);
  return table([HEAD, ...rows], NUMBERS);
}

/** A short time in UTC. */
const timeOf = (iso: string): string => iso.slice(0, 19).replace('T', ' ');

/** Up to `limit` jobs: a page of the API may have fewer. */
async function latestJobs(
  client: Client,
  { limit, after, ...filters }: ListOptions,
): Promise<{ jobs: Job[]; next: string | null }> {
  const jobs: Job[] = [];
  let next = after ?? null;
  do {
    const page = await client.jobs.list({
      ...filters,
      limit: limit - jobs.length,
      ...(next !== null && { after: next }),
    });
    jobs.push(...page.jobs);
    next = page.next;
  } while (next !== null && jobs.length < limit);
  return { jobs, next };
}

function listOf(given: string): string[] {
  return given.split(',').flatMap((one) => one.trim() || []);
}

function linesOf(given: string): number[] {
  return listOf(given).map((line) => {
    if (/^[1-9]\d{0,14}$/.test(line)) return Number(line);
    throw new InvalidArgumentError('Write them like 3,17.');
  });
}
