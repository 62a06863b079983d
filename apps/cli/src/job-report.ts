import { isFinished, type Job } from '@embedmill/jobs';
import type { Client } from './client.ts';
import type { Context } from './command-host.ts';
import { EXIT, type ExitCode } from './exit.ts';
import { followJob } from './follow.ts';
import { ProgressDisplay, summaryOf } from './progress.ts';

/** A job as --json prints it: what the API says, with its id under `job`. */
export function jobReport({ id, ...rest }: Job): { job: string } & Omit<Job, 'id'> {
  return { job: id, ...rest };
}

/** The exit code that a finished job means. */
export function exitCodeOfJob({ state, failed }: Pick<Job, 'state' | 'failed'>): ExitCode {
  if (state !== 'completed') return EXIT.failed;
  return failed > 0 ? EXIT.documentsFailed : EXIT.ok;
}

/** Follows a job to its end, showing its progress. */
export async function followWithProgress(
  context: Pick<Context, 'terminal' | 'interruption'>,
  client: Client,
  id: string,
): Promise<Job> {
  const { terminal, interruption } = context;
  const progress = new ProgressDisplay(terminal);
  try {
    let last: Job | undefined;
    let said: string | undefined;
    for await (const job of followJob(client, id, interruption.signal)) {
      last = job;
      if (isFinished(job.state)) continue;
      if (job.waitingFor !== null && job.waitingFor.message !== said) {
        said = job.waitingFor.message;
        progress.close();
        terminal.note(`waiting: ${said}`);
      }
      progress.update(job);
    }
    return last ?? (await client.job(id));
  } finally {
    progress.close();
  }
}

/** Waits for a job's end, and gives the exit code. When interrupted, says how to take it up again. */
export async function waitForJob(context: Context, client: Client, id: string): Promise<ExitCode> {
  try {
    return reportFinished(context, await followWithProgress(context, client, id));
  } catch (error) {
    if (context.interruption.by !== undefined) {
      context.terminal.note(`job ${id} goes on; take it up with: embedmill watch ${id}`);
    }
    throw error;
  }
}

/** Says what became of a finished job, and gives the exit code. */
function reportFinished({ terminal }: Pick<Context, 'terminal'>, job: Job): ExitCode {
  if (terminal.json) terminal.printJson(jobReport(job));
  terminal.print(`job ${job.id} ${job.state}: ${summaryOf(job)}`);
  if (job.error !== null) terminal.print(`  ${job.error.code}: ${job.error.message}`);
  if (job.failed > 0) {
    terminal.print(
      `  see them with "embedmill failures ${job.id}"; try them again with "embedmill retry ${job.id}"`,
    );
  }
  if (job.duplicates > 0 || job.truncated > 0) {
    terminal.print(
      `  ${job.duplicates} came again later in the job, ${job.truncated} were truncated: "embedmill failures ${job.id} --warnings"`,
    );
  }
  return exitCodeOfJob(job);
}
