import { join } from 'node:path';
import type { Command } from 'commander';
import type { Hit, Job } from '@embedmill/jobs';
import { createClient, EmbedmillError as ServerError, type Client } from '@embedmill/client';
import type { CommandHost, Context } from '../command-host.ts';
import { DEMO_PARTS, type DemoPart, type Search } from '../demo/demo-parts.ts';
import { DEMO_DOCUMENTS } from '../entries.ts';
import { CommandError, EXIT, type ExitCode } from '../exit.ts';
import { hitLines } from '../terminal/hits.ts';
import { followWithProgress, jobReport } from '../documents/job-report.ts';
import { summaryOf } from '../terminal/progress.ts';
import { stackDisplay } from '../stack/stack-display.ts';
import { endOwnStack, startOwnStack } from '../stack/own-stack.ts';
import type { Stack } from '../stack/stack.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { documentSource, submitDocuments } from '../documents/document-source.ts';

const WIDTH_WITHOUT_TERMINAL = 110;

export function addDemo(program: Command, host: CommandHost): void {
  program
    .command('demo')
    .description('start everything, embed dictionary senses and Chinese texts, search them, and stop')
    .action(() => host.run(runDemo));
}

/** Everything in a separate folder, emptied first; the unpacked Redis stays where `up` has it. */
async function runDemo(context: Context): Promise<ExitCode> {
  const { config, terminal, interruption } = context;
  terminal.print(terminal.style('bold', 'embedmill demo'));
  const stack = await startOwnStack(context, {
    folder: join(config.dataDir, 'demo'),
    tell: stackDisplay(terminal, false),
  });
  try {
    const client = createClient({ url: stack.url, apiKey: config.key, signal: interruption.signal });
    const gaveUp = stack.gaveUp.then((error) => {
      throw error;
    });
    gaveUp.catch(() => undefined);
    await Promise.race([embedAndSearch(context, client, stack), gaveUp]);
  } finally {
    await endOwnStack(context, stack);
  }
  terminal.print('\nEverything is stopped. To continue:');
  terminal.print(
    '  npx embedmill up                                        keeps it running; then, in another terminal:',
  );
  terminal.print('  npx embedmill collections create words --sparse bm25');
  terminal.print(
    `  npx embedmill submit ${relativeToHere(DEMO_DOCUMENTS.english)} --collection words --wait`,
  );
  terminal.print('  npx embedmill search words "a woman who rules a country"');
  return EXIT.ok;
}

async function embedAndSearch(context: Context, client: Client, stack: Stack): Promise<void> {
  const { terminal } = context;
  terminal.print(
    `\nThe API is at ${terminal.style('cyan', stack.url)} while the demo runs, and the console at`,
  );
  terminal.print(`  ${terminal.style('cyan', `${stack.url}/console/`)}`);
  terminal.print('Metrics are at');
  for (const url of [stack.metrics.api, stack.metrics.worker]) if (url !== null) terminal.print(`  ${url}`);

  // All are created first, so that the second model is loaded while the first embeds.
  for (const { collection, profile } of DEMO_PARTS) {
    // With QDRANT_URL it may exist from an earlier demo.
    await client.collections.delete(collection).catch((error: unknown) => {
      if (!(error instanceof ServerError && error.status === 404)) throw error;
    });
    await client.collections.create(collection, profile);
  }
  const jobs: Job[] = [];
  const searches: { query: string; hits: Hit[] }[] = [];
  for (const part of DEMO_PARTS) {
    jobs.push(await embedded(context, client, part));
    for (const search of part.searches) {
      searches.push({ query: search.asked, hits: await found(terminal, client, search) });
    }
  }
  if (terminal.json) terminal.printJson(demoReport(jobs, searches, stack));
  for (const { collection } of DEMO_PARTS) await client.collections.delete(collection);
}

async function embedded(context: Context, client: Client, part: DemoPart): Promise<Job> {
  const { terminal } = context;
  const { profile } = await client.collections.get(part.collection);
  terminal.print(`\nEmbedding ${part.about} with ${profile.model}, as one bulk job:`);
  const source = await documentSource(part.documents);
  const submitted = await submitDocuments(client, part.collection, source);
  const job = await followWithProgress(context, client, submitted.id);
  if (job.state !== 'completed' || job.failed > 0) {
    throw new CommandError(`the job ${job.state}: ${job.error?.message ?? summaryOf(job)}`);
  }
  terminal.print(summaryOf(job));
  return job;
}

/** Shows the result of a search. Throws if it is not the expected one. */
async function found(terminal: Terminal, client: Client, search: Search): Promise<Hit[]> {
  const { about, asked, finds, findsNot = [] } = search;
  const hits = await search.hits(client);
  terminal.print(`\n${about}\n${terminal.style('bold', asked)}`);
  for (const line of hitLines(hits, terminal, Math.min(terminal.width, WIDTH_WITHOUT_TERMINAL) - 2)) {
    terminal.print(`  ${line}`);
  }
  const ids = hits.map(({ id }) => id);
  if (!ids.some((id) => finds.includes(id)) || ids.some((id) => findsNot.includes(id))) {
    const others = findsNot.length === 0 ? '' : `, but not ${findsNot.join(' or ')}`;
    throw new CommandError(
      `this search should have found ${finds.join(' or ')}${others}; the model or the store does not work correctly`,
    );
  }
  return hits;
}

/** The first job's report, and those of all jobs. */
function demoReport(jobs: readonly Job[], searches: { query: string; hits: Hit[] }[], stack: Stack) {
  const reports = jobs.map(jobReport);
  return { ...reports[0], jobs: reports, searches, url: stack.url, metrics: stack.metrics };
}

function relativeToHere(path: string): string {
  const here = `${process.cwd()}/`;
  return path.startsWith(here) ? path.slice(here.length) : path;
}
