/**
 * `npm run bench -- peers`: embedmill and others on this machine, in turns, with the same model file and the same
 * texts. Each peer is installed in a Python environment of its own, in pinned versions. If a peer cannot be installed
 * or started, its row says why.
 */
import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createEmbedder } from '@embedmill/embed';
import { Tokenizer } from '@embedmill/tokenization';
import { pythonWith } from '../clients/python.ts';
import { Embedmill, ndjson } from '../embedmill.ts';
import { PeerProcess } from './peer-process.ts';
import { tableOf, type Outcome } from './rates.ts';
import { texts } from './texts.ts';

const MODEL = 'all-MiniLM-L6-v2';
const FOLDER = resolve(import.meta.dirname, '../../models', MODEL);
const FILE = 'model_int8.onnx';

const { values } = parseArgs({
  options: {
    documents: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '3' },
    // An m7g.large on demand in us-east-1, June 2026: $0.0816 an hour for two.
    'core-hour': { type: 'string', default: '0.0408' },
    /** NDJSON with `text`, instead of the default texts. */
    texts: { type: 'string' },
    json: { type: 'string' },
  },
});
const [wanted, rounds, coreHour] = [values.documents, values.rounds, values['core-hour']].map(Number);
if (!(wanted && wanted > 0 && rounds && rounds > 0 && coreHour && coreHour > 0)) {
  process.stderr.write('--documents, --rounds and --core-hour take positive numbers\n');
  process.exit(2);
}

/** A contender: embeds all texts once per round and returns the seconds. */
interface Runner {
  who: string;
  round(): Promise<number>;
  close(): Promise<unknown>;
}

/** Products that cannot be installed from a package registry, and why. */
const ABSENT: Outcome[] = [
  {
    who: 'text-embeddings-inference',
    seconds:
      'no package on PyPI or npm: it comes as container images, or is built with cargo from its repository',
  },
];

const folder = await mkdtemp(join(tmpdir(), 'embedmill-peers-'));
const runners: Runner[] = [];
const outcomes = new Map<string, Outcome>();
const say = (line: string): void => void process.stderr.write(`${line}\n`);
try {
  const all =
    values.texts === undefined ? await texts(wanted) : textsIn(await readFile(values.texts, 'utf8'), wanted);
  const documents = all.length;
  const file = join(folder, 'texts.ndjson');
  await writeFile(file, ndjson(all.map((text, n) => ({ id: `d${n}`, text }))));
  const tokenizer = await Tokenizer.load({ path: join(FOLDER, 'tokenizer.json'), maxTokens: 256 });
  const tokens = (await tokenizer.encode(all, 'document')).reduce((sum, { ids }) => sum + ids.length, 0);
  say(
    `${documents} texts, ${(tokens / documents).toFixed(0)} tokens each on average, ${rounds} rounds in turn`,
  );

  await open('embedmill, from text to vectors', () => embedderRunner(all));
  await open('embedmill, the whole way: stored, to be searched', () => wholeRunner(all));
  for (const batch of [256, 1])
    await open(`fastembed, batches of ${batch}${batch === 256 ? ', its default' : ''}`, () =>
      peerRunner('fastembed', 'fastembed_peer.py', FOLDER, [FOLDER, FILE, file, String(batch)]),
    );
  await open('sentence-transformers, ONNX, batches of 32, its default', async () => {
    const copy = join(folder, 'sentence-transformers');
    await cp(FOLDER, copy, { recursive: true });
    return peerRunner('sentence-transformers', 'sentence_transformers_peer.py', copy, [
      copy,
      FILE,
      file,
      '32',
    ]);
  });
  await open('Infinity, optimum, batches of 32, its default', async () => {
    const copy = join(folder, 'infinity');
    await cp(FOLDER, copy, { recursive: true });
    await rename(join(copy, FILE), join(copy, 'model_quantized.onnx'));
    return peerRunner('infinity', 'infinity_peer.py', copy, [copy, FILE, file, '32']);
  });

  for (let round = 0; round < rounds; round += 1) {
    for (const { who, round: run } of runners) {
      const known = outcomes.get(who)?.seconds;
      if (typeof known === 'string') continue;
      const seconds = await run().catch(reasonOf);
      outcomes.set(who, {
        who,
        seconds: typeof seconds === 'string' ? seconds : [...(known ?? []), seconds],
      });
      say(`round ${round + 1}, ${who}: ${typeof seconds === 'string' ? seconds : `${seconds.toFixed(1)} s`}`);
    }
  }
  const setting = { documents, tokens, cores: availableParallelism(), coreHour };
  const told = [...outcomes.values(), ...ABSENT];
  process.stdout.write(`${tableOf(told, setting)}\n`);
  process.stdout.write(`${setting.cores} cores at $${coreHour} an hour each; ${MODEL}, ${FILE}\n`);
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify({ setting, outcomes: told }, null, 2)}\n`);
} finally {
  for (const { close } of runners) await close();
  await rm(folder, { recursive: true, force: true });
}

async function open(who: string, make: () => Promise<Omit<Runner, 'who'>>): Promise<void> {
  try {
    const runner = await make();
    runners.push({ who, round: () => runner.round(), close: () => runner.close() });
    outcomes.set(who, { who, seconds: [] });
  } catch (error) {
    outcomes.set(who, { who, seconds: reasonOf(error) });
    say(`${who}: ${reasonOf(error)}`);
  }
}

function textsIn(lines: string, most: number): string[] {
  const documents = lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { text: string });
  return documents.slice(0, most).map(({ text }) => text);
}

async function embedderRunner(all: readonly string[]): Promise<Omit<Runner, 'who'>> {
  const embedder = await createEmbedder({ model: MODEL });
  const run = async (some: readonly string[]): Promise<number> => {
    const began = performance.now();
    let vectors = 0;
    for await (const group of embedder.embed(some)) vectors += group.length;
    if (vectors !== some.length) throw new Error(`${vectors} vectors of ${some.length} texts`);
    return (performance.now() - began) / 1000;
  };
  await run(all.slice(0, 64));
  return { round: () => run(all), close: () => embedder.close() };
}

/** Uses a new collection for each round: stored documents would cost only a look-up. */
async function wholeRunner(all: readonly string[]): Promise<Omit<Runner, 'who'>> {
  const mill = await Embedmill.up();
  const body = ndjson(all.map((text, n) => ({ id: `d${n}`, text })));
  const run = async (lines: string, wanted: number): Promise<number> => {
    const name = await mill.collection('peers', { model: MODEL });
    const began = performance.now();
    const { stored, failed } = await mill.finished(await mill.submit(name, lines));
    if (stored !== wanted) throw new Error(`${stored} of ${wanted} documents were stored, ${failed} failed`);
    return (performance.now() - began) / 1000;
  };
  await run(ndjson([{ id: 'first', text: all[0] }]), 1);
  return { round: () => run(body, all.length), close: () => mill.stop() };
}

async function peerRunner(
  name: string,
  script: string,
  cwd: string,
  given: string[],
): Promise<Omit<Runner, 'who'>> {
  say(`${name}: its packages are installed, unless they are`);
  const python = await pythonWith(join(import.meta.dirname, `requirements-${name}.txt`), `peer-${name}`);
  if ('missing' in python) throw new Error(python.missing);
  return PeerProcess.start({ python: python.command, script, arguments: given, cwd });
}

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 200);
}
