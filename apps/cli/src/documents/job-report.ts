import { isFinished, type Job } from '@embedmill/jobs';
import { EmbedmillError as ServerError, type Client } from '@embedmill/client';
import type { Context } from '../command-host.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { ProgressDisplay, summaryOf } from '../terminal/progress.ts';

/** A job for --json: the API's job, with its id under `job`. */
export function jobReport({ id, ...rest }: Job): { job: string } & Omit<Job, 'id'> {
  return { job: id, ...rest };
}

/** The exit code of a finished job. */
export function exitCodeOfJob({ state, failed }: Pick<Job, 'state' | 'failed'>): ExitCode {
  if (state !== 'completed') return EXIT.failed;
  return failed > 0 ? EXIT.documentsFailed : EXIT.ok;
}

/** Follows a job to its end, showing its progress. */
export async function followWithProgress(
  context: Pick<Context, 'terminal'>,
  client: Client,
  id: string,
): Promise<Job> {
  const { terminal } = context;
  const progress = new ProgressDisplay(terminal);
  try {
    let last: Job | undefined;
    let said: string | undefined;
    for await (const job of client.watch(id)) {
      last = job;
      if (isFinished(job.state)) continue;
      if (job.waitingFor !== null && job.waitingFor.message !== said) {
        said = job.waitingFor.message;
        progress.close();
        terminal.note(`waiting: ${said}`);
      }
      progress.update(job);
    }
    return last ?? (await client.jobs.get(id));
  } finally {
    progress.close();
  }
}

/** Waits for a job's end and returns the exit code. When interrupted, prints how to continue. */
export async function waitForJob(context: Context, client: Client, id: string): Promise<ExitCode> {
  try {
    return await reportFinished(context, client, await followWithProgress(context, client, id));
  } catch (error) {
    if (context.interruption.by !== undefined) {
      context.terminal.note(`job ${id} continues; follow it with: embedmill watch ${id}`);
    }
    throw error;
  }
}

/** Reports the outcome of a finished job and returns the exit code. */
async function reportFinished(
  { terminal }: Pick<Context, 'terminal'>,
  client: Client,
  job: Job,
): Promise<ExitCode> {
  if (terminal.json) terminal.printJson(jobReport(job));
  terminal.print(`job ${job.id} ${job.state}: ${summaryOf(job)}`);
  if (job.error !== null) terminal.print(`  ${job.error.code}: ${job.error.message}`);
  if (job.failed > 0) {
    const advice = (await mayRetry(client, job)) ? `; retry them with "embedmill retry ${job.id}"` : '';
    terminal.print(`  list them with "embedmill failures ${job.id}"${advice}`);
  }
  if (job.duplicates > 0 || job.truncated > 0) {
    terminal.print(
      `  ${job.duplicates} occurred again later in the job, ${job.truncated} were truncated: "embedmill failures ${job.id} --warnings"`,
    );
  }
  if (job.duplicates === 0 && job.truncated === 0 && (await hasWarnings(client, job)))
    terminal.print(`  some documents are stored with a warning: "embedmill failures ${job.id} --warnings"`);
  return exitCodeOfJob(job);
}

async function hasWarnings(client: Client, { id }: Job): Promise<boolean> {
  try {
    const warnings = client.jobs.warnings(id);
    const { done, value } = await warnings.next();
    await warnings.return(0);
    return done !== true || value > 0;
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    return false;
  }
}

/** The most failures to check, for a single line of advice. */
const MOST_LOOKED_AT = 10_000;

/** Whether any of the job's failures is transient. Failures of invalid documents would recur. */
async function mayRetry(client: Client, { id }: Job): Promise<boolean> {
  let seen = 0;
  try {
    for await (const { retryable } of client.failures(id)) {
      if (retryable) return true;
      seen += 1;
      if (seen >= MOST_LOOKED_AT) return false;
    }
  } catch (error) {
    // The outcome of the job is known; the advice is not worth failing for.
    if (!(error instanceof ServerError)) throw error;
  }
  return false;
}
