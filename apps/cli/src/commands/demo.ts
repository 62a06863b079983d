import { join } from 'node:path';
import type { Command } from 'commander';
import type { Hit, Job, SearchRequestInput } from '@embedmill/jobs';
import { Client } from '../client.ts';
import { ServerError } from '../server-error.ts';
import type { CommandHost, Context } from '../command-host.ts';
import { DEMO_DOCUMENTS } from '../entries.ts';
import { CommandError, EXIT, type ExitCode } from '../exit.ts';
import { hitLines } from '../hits.ts';
import { followWithProgress, jobReport } from '../job-report.ts';
import { summaryOf } from '../progress.ts';
import { stackDisplay } from '../stack-display.ts';
import { endOwnStack, startOwnStack } from '../own-stack.ts';
import type { Stack } from '../stack.ts';
import { documentSource, submitDocuments } from '../upload.ts';

const COLLECTION = 'embedmill-demo';
const HITS_SHOWN = 3;

/** What is looked for, in words or by example. Each finds one of `finds` among its first hits, or the demo fails. */
interface Search {
  about: string;
  /** As it is shown. */
  asked: string;
  hits: (client: Client) => Promise<Hit[]>;
  finds: string[];
}

const SEARCHES: Search[] = [
  {
    about: 'One word, two meanings. The bank of a river, described without naming it:',
    ...search('sloping land beside a river', { mode: 'dense' }),
    finds: ['bank.n.01'],
  },
  {
    about: 'And the bank that has to do with money:',
    ...search('a company that keeps deposits and lends money', { mode: 'dense' }),
    finds: ['bank.n.02'],
  },
  {
    about: 'A question finds a definition that shares no word with it:',
    ...search('why can’t I fall asleep at night?', { mode: 'dense' }),
    finds: ['insomnia.n.01'],
  },
  {
    about: 'By meaning and by words at once (hybrid), and why: the words that matched, and what each gave:',
    ...search('a leader of a church', { sparse: ['bm25'], explain: true }),
    finds: ['clergyman.n.01'],
  },
  {
    about: 'And one whose words mislead: no definition of a queen has any of them:',
    ...search('a woman who rules a country', { sparse: ['bm25'], limit: 10 }),
    finds: ['queen.n.02'],
  },
  {
    about: 'The best hits looked at again, word by word (reranked by late interaction, with the same model):',
    ...search('someone who writes books', { rerank: true }),
    finds: ['author.n.01'],
  },
  {
    about: 'By example. King − man + woman:',
    ...analogy('king', 'man', 'woman'),
    finds: ['queen.n.02', 'queen.n.03'],
  },
  { about: 'Uncle − man + woman:', ...analogy('uncle', 'man', 'woman'), finds: ['aunt.n.01'] },
];

function search(query: string, options: SearchRequestInput): Pick<Search, 'asked' | 'hits'> {
  return {
    asked: `“${query}”`,
    hits: (client) => client.search(COLLECTION, { query, limit: HITS_SHOWN, ...options }),
  };
}

/** What is to `b` as `from` is to `a`; senses of the three words themselves are left out. */
function analogy(from: string, a: string, b: string): Pick<Search, 'asked' | 'hits'> {
  return {
    asked: `${from} − ${a} + ${b}`,
    hits: (client) =>
      client.recommend(COLLECTION, {
        positive: [{ text: from }, { text: b }],
        negative: [{ text: a }],
        filter: { not: { field: 'words', in: [from, a, b] } },
        limit: HITS_SHOWN,
      }),
  };
}

const WIDTH_WITHOUT_TERMINAL = 110;

export function addDemo(program: Command, host: CommandHost): void {
  program
    .command('demo')
    .description('start everything, embed some thousands of dictionary senses, search them, stop again')
    .action(() => host.run(runDemo));
}

/** Everything in a folder of its own, emptied first; the unpacked Redis stays where `up` has it. */
async function runDemo(context: Context): Promise<ExitCode> {
  const { config, terminal, interruption } = context;
  terminal.print(terminal.style('bold', 'embedmill demo'));
  const stack = await startOwnStack(context, {
    folder: join(config.dataDir, 'demo'),
    tell: stackDisplay(terminal, false),
  });
  try {
    const client = new Client(stack.url, interruption.signal, config.key);
    const gaveUp = stack.gaveUp.then((error) => {
      throw error;
    });
    gaveUp.catch(() => undefined);
    await Promise.race([embedAndSearch(context, client, stack), gaveUp]);
  } finally {
    await endOwnStack(context, stack);
  }
  terminal.print('\nEverything is stopped. To go on:');
  terminal.print(
    '  npx embedmill up                                        keeps it running; then, in another terminal:',
  );
  terminal.print('  npx embedmill collections create words --sparse bm25');
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
  const { profile } = await client.createCollection(COLLECTION, {
    sparse: { bm25: {}, bm42: {} },
    filterable: { words: 'keyword' },
  });
  terminal.print(`\nEmbedding some thousands of WordNet’s senses with ${profile.model}, as one bulk job:`);
  const source = await documentSource(DEMO_DOCUMENTS);
  const submitted = await submitDocuments(client, COLLECTION, source, { signal: interruption.signal });
  const job = await followWithProgress(context, client, submitted.id);
  if (job.state !== 'completed' || job.failed > 0) {
    throw new CommandError(`the job ${job.state}: ${job.error?.message ?? summaryOf(job)}`);
  }
  terminal.print(summaryOf(job));

  const searches: { query: string; hits: Hit[] }[] = [];
  for (const { about, asked, hits: find, finds } of SEARCHES) {
    const hits = await find(client);
    searches.push({ query: asked, hits });
    terminal.print(`\n${about}\n${terminal.style('bold', asked)}`);
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
