import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { outputFormatSchema, type Job, type OutputFormat } from '@embedmill/jobs';
import type { Client } from '@embedmill/client';
import type { Context } from '../command-host.ts';
import { downloadOutput } from './download.ts';
import { CommandError, usageError } from '../exit.ts';
import { followWithProgress } from './job-report.ts';
import { ProgressDisplay } from '../terminal/progress.ts';
import { bytes } from '../terminal/text.ts';

/** The target of a job's file: a local file, or a bucket that the server writes to. */
export interface OutputFile {
  format: OutputFormat;
  /** `s3://bucket/key`; undefined for a local file. */
  to?: string;
}

/** Parses `--to`. Throws usage errors, so that they are reported before the job starts. */
export async function outputFileOf(to: string): Promise<OutputFile> {
  const format = formatOf(to);
  if (to.startsWith('s3://')) return { format, to };
  const folder = dirname(resolve(to));
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory() !== true) throw usageError(`${folder} is not a folder; create it first`);
  return { format };
}

/**
 * Follows a job to its end and has its file at `to`; `again` is the command that takes it up where this one is interrupted.
 * Throws where the job has no file.
 */
export async function receiveOutput(
  context: Context,
  client: Client,
  { id, to, format, again }: { id: string; to: string; format: OutputFormat; again: string },
): Promise<{ job: Job; where: string; size: number }> {
  const { terminal, interruption } = context;
  try {
    const job = await followWithProgress(context, client, id);
    const { output } = job;
    if (output === null || job.state !== 'completed') {
      const reason = job.error === null ? 'it was not completed' : `${job.error.code}: ${job.error.message}`;
      throw new CommandError(`the job ${id} is ${job.state}: ${reason}`);
    }
    if (output.format !== format)
      throw usageError(`the job ${id} writes ${output.format}; use that extension for the file`);
    if (output.to === null) {
      const progress = new ProgressDisplay(terminal);
      const onReceived = (received: number) =>
        progress.uploading(`receiving: ${bytes(received)} of ${bytes(output.bytes)}`);
      await downloadOutput(client, { job: id, bytes: output.bytes }, to, onReceived).finally(() =>
        progress.close(),
      );
    }
    return { job, where: output.to ?? to, size: output.bytes };
  } catch (error) {
    if (interruption.by !== undefined)
      terminal.note(`the job continues; fetch its file with: embedmill ${again} --to ${to} --job ${id}`);
    throw error;
  }
}

function formatOf(to: string): OutputFormat {
  const name = to.toLowerCase().replace(/\.jsonl(\.gz)?$/, '.ndjson$1');
  // The longest extension first: .ndjson.gz is not .ndjson.
  const formats = outputFormatSchema.options.toSorted((a, b) => b.length - a.length);
  const format = formats.find((one) => name.endsWith(`.${one}`));
  if (format !== undefined) return format;
  throw usageError(
    `${to} must end in one of ${formats.map((one) => `.${one}`).join(', ')}, which sets its format`,
  );
}
