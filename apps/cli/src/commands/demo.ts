import { join } from 'node:path';
import type { Command } from 'commander';
import type { Hit, Job } from '@embedmill/jobs';
import { Client } from '../client.ts';
import { ServerError } from '../server-error.ts';
import type { CommandHost, Context } from '../command-host.ts';
import { DEMO_DOCUMENTS } from '../entries.ts';
import { CommandError, EXIT, type ExitCode } from '../exit.ts';
import { hitLines } from '../hits.ts';
import { followWithProgress, jobReport } from '../job-report.ts';
import { summaryOf } from '../progress.ts';
import { stackDisplay } from '../stack-display.ts';
import { Stack } from '../stack.ts';
import { documentSource, submitDocuments } from '../upload.ts';

const COLLECTION = 'embedmill-demo';
const HITS_SHOWN = 3;

/** Searches that show what embeddings are for. Each finds one of `finds` among its first hits, or the demo fails. */
const SEARCHES = [
  {
    about: 'One word, two meanings. The bank of a river, described without naming it:',
    query: 'sloping land beside a river',
    finds: ['bank.n.01'],
  },
  {
    about: 'And the bank that has to do with money:',
    query: 'a company that keeps deposits and lends money',
    finds: ['bank.n.02'],
  },
  {
    about: 'Another word for the same thing:',
    query: 'big',
    finds: ['large.n.01', 'large.a.01', 'larger.a.01'],
  },
  {
    about: 'A question finds a definition that shares no word with it:',
    query: 'why can’t I fall asleep at night?',
    finds: ['insomnia.n.01'],
  },
];

const WIDTH_WITHOUT_TERMINAL = 110;

export function addDemo(program: Command, host: CommandHost): void {
  program
    .command('demo')
    .description('start everything, embed some thousands of dictionary senses, search them, stop again')
    .action(() => host.run(runDemo));
}

/** Everything in a folder of its own, emptied first; the unpacked Redis stays where `up` has it. */
async function runDemo(context: Context): Promise<ExitCode> {
  const { config, environment, terminal, interruption } = context;
  terminal.print(terminal.style('bold', 'embedmill demo'));
  const stack = await Stack.start(
    {
      config: {
        ...config,
        dataDir: join(config.dataDir, 'demo'),
        apiPort: 0,
        workerPort: 0,
        storeSocket: undefined,
      },
      environment: {
        ...environment,
        EMBEDMILL_SPOOL_DIR: '',
        EMBEDMILL_MODEL_CACHE_DIR: environment['EMBEDMILL_MODEL_CACHE_DIR'] || join(config.dataDir, 'models'),
      },
      redisPackageFolder: join(config.dataDir, 'redis-package'),
      fresh: true,
      tell: stackDisplay(terminal, false),
    },
    interruption.signal,
  );
  interruption.onForce(() => void stack.kill());
  try {
    const client = new Client(stack.url, interruption.signal);
    const gaveUp = stack.gaveUp.then((error) => {
      throw error;
    });
    gaveUp.catch(() => undefined);
    await Promise.race([embedAndSearch(context, client, stack), gaveUp]);
  } finally {
    // Interrupted, there is nothing worth finishing: the next demo starts afresh.
    await (interruption.by === undefined ? stack.stop() : stack.kill());
  }
  terminal.print('\nEverything is stopped. To go on:');
  terminal.print(
    '  npx embedmill up                                        keeps it running; then, in another terminal:',
  );
  terminal.print('  npx embedmill collections create words');
  terminal.print(`  npx embedmill submit ${relativeToHere(DEMO_DOCUMENTS)} --collection words --wait`);
  terminal.print('  npx embedmill search words "a woman who rules a country"');
  return EXIT.ok;
}

async function embedAndSearch(context: Context, client: Client, stack: Stack): Promise<void> {
  const { terminal, interruption } = context;
  terminal.print(`\nThe API is at ${terminal.style('cyan', stack.url)}, while this runs; metrics are at`);
  for (const url of [stack.metrics.api, stack.metrics.worker]) if (url !== null) terminal.print(`  ${url}`);

  // With QDRANT_URL the collection may be there from a demo before.
  await client.deleteCollection(COLLECTION).catch((error: unknown) => {
    if (!(error instanceof ServerError && error.status === 404)) throw error;
  });
  const { profile } = await client.createCollection(COLLECTION, {});
  terminal.print(`\nEmbedding some thousands of WordNet’s senses with ${profile.model}, as one bulk job:`);
  const source = await documentSource(DEMO_DOCUMENTS);
  const submitted = await submitDocuments(client, COLLECTION, source, { signal: interruption.signal });
  const job = await followWithProgress(context, client, submitted.id);
  if (job.state !== 'completed' || job.failed > 0) {
    throw new CommandError(`the job ${job.state}: ${job.error?.message ?? summaryOf(job)}`);
  }
  terminal.print(summaryOf(job));

  const searches: { query: string; hits: Hit[] }[] = [];
  for (const { about, query, finds } of SEARCHES) {
    const hits = await client.search(COLLECTION, { query, limit: HITS_SHOWN });
    searches.push({ query, hits });
    terminal.print(`\n${about}\n${terminal.style('bold', `“${query}”`)}`);
    for (const line of hitLines(hits, terminal, Math.min(terminal.width, WIDTH_WITHOUT_TERMINAL) - 2)) {
      terminal.print(`  ${line}`);
    }
    if (!hits.some(({ id }) => finds.includes(id))) {
      throw new CommandError(
        `that should have found ${finds.join(' or ')}; the model or the store is not right`,
      );
    }
  }
  if (terminal.json) terminal.printJson(demoReport(job, searches, stack));
  await client.deleteCollection(COLLECTION);
}

function demoReport(job: Job, searches: { query: string; hits: Hit[] }[], stack: Stack) {
  return { ...jobReport(job), searches, url: stack.url, metrics: stack.metrics };
}

function relativeToHere(path: string): string {
  const here = `${process.cwd()}/`;
  return path.startsWith(here) ? path.slice(here.length) : path;
}
