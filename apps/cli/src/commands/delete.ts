import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { Command } from 'commander';
import type { Job } from '@embedmill/jobs';
import type { Document, DocumentSelection } from '@embedmill/client';
import type { CommandHost, Context } from '../command-host.ts';
import { CommandError, EXIT, usageError, type ExitCode } from '../exit.ts';
import { filterOf } from '../options/filter-option.ts';
import { waitForJob } from '../documents/job-report.ts';
import { grouped } from '../terminal/text.ts';

interface DeleteOptions {
  ids?: string;
  filter?: string;
  tenant?: string;
  dryRun?: boolean;
}

/** The most ids of one request. */
const AT_ONCE = 10_000;

export function addDelete(program: Command, host: CommandHost): void {
  program
    .command('delete')
    .description('delete documents by id or by a filter')
    .argument('<collection>')
    .argument('[id...]', 'ids of documents')
    .option('--ids <file>', 'a file of ids, one per line; "-" reads standard input')
    .option('--filter <json>', 'delete documents that match, in the syntax of searches')
    .option('--tenant <name>', 'whose documents')
    .option('--dry-run', 'only count what would be deleted')
    .action((collection: string, ids: string[], options: DeleteOptions) =>
      host.run((context) => deleteDocuments(context, collection, ids, options)),
    );
}

async function deleteDocuments(
  context: Context,
  collection: string,
  ids: string[],
  { ids: file, filter, tenant, dryRun = false }: DeleteOptions,
): Promise<ExitCode> {
  const ways = [ids.length > 0, file !== undefined, filter !== undefined].filter(Boolean).length;
  if (ways !== 1) throw usageError('give ids, a file of them with --ids, or a --filter');
  const { terminal } = context;
  const client = context.client();
  const requests = (): AsyncIterable<DocumentSelection> | DocumentSelection[] => {
    if (filter !== undefined) return [{ filter: filterOf(filter), tenant }];
    return inRequests(file === undefined ? Readable.from(ids) : idsOf(file), tenant);
  };
  if (dryRun) {
    let documents = 0;
    for await (const request of requests()) documents += await client.documents.count(collection, request);
    if (terminal.json) terminal.printJson({ documents });
    terminal.print(`${grouped(documents)} document${documents === 1 ? '' : 's'} would be deleted`);
    return EXIT.ok;
  }
  const job = file === undefined ? await one() : await many(file);
  terminal.note(`job ${job.id}`);
  return waitForJob(context, client, job.id);

  async function one(): Promise<Job> {
    for await (const request of requests()) return client.documents.delete(collection, request);
    throw usageError('no ids are given');
  }

  /** Each id of a file, which may have any number, becomes a line of a job. */
  async function many(path: string): Promise<Job> {
    const stream = (): AsyncGenerator<Document> => tombstones(path, tenant);
    return client.submit(collection, path === '-' ? stream() : { stream });
  }
}

async function* inRequests(
  ids: AsyncIterable<string>,
  tenant: string | undefined,
): AsyncGenerator<DocumentSelection> {
  let some: string[] = [];
  for await (const id of ids) {
    some.push(id);
    if (some.length < AT_ONCE) continue;
    yield { ids: some, tenant };
    some = [];
  }
  if (some.length > 0) yield { ids: some, tenant };
}

async function* tombstones(path: string, tenant: string | undefined): AsyncGenerator<Document> {
  for await (const id of idsOf(path)) yield { id, tenant, deleted: true };
}

async function* idsOf(path: string): AsyncGenerator<string> {
  const input = path === '-' ? process.stdin : createReadStream(path);
  try {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) {
      const id = line.trim();
      if (id !== '') yield id;
    }
  } catch (error) {
    throw new CommandError(`${path} cannot be read: ${(error as Error).message}`, undefined, {
      cause: error,
    });
  }
}
