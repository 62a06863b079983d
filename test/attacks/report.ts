/**
 * `npm run bench -- attacks`: what a victim sees of each attack, and which requests of the whole corpus hold the server up.
 * Ends with 1 where a victim's p99 is beyond a second, a request holds the event loop for more than 120 ms of processor
 * time, or one takes more than sixteen times its own size. Latencies are meant for a machine with nothing else to do.
 */
import { parseArgs } from 'node:util';
import { Attacked } from './attacked.ts';
import { ATTACKS } from './attacks.ts';
import { hostileRequests, SIZES, type Hostile } from './corpus.ts';
import { watched, type Seen } from './watch.ts';

/**
 * `--every 10` sends every tenth request of the corpus, 0 none, and `--from 3` begins with the fourth: so the whole can be sent
 * in parts. `--only TEXT` runs the attacks with this in their names.
 */
const { values } = parseArgs({
  options: {
    every: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    only: { type: 'string', default: '' },
  },
});
const every = Number(values.every);
const from = Number(values.from);

const P99_MS = 1000;
const LOOP_MS = 120;
const TIMES_ITS_SIZE = 16;
/** What the garbage of others may come to meanwhile. */
const NOISE_MB = 64;
/** Requests of the corpus that are watched together, so many at the same time, and how large they may be. */
const GROUP = 32;
const AT_ONCE = 4;
const GROUP_BYTES = 16e6;

type Made = Omit<Hostile, 'body'> & { body: string | undefined };

const print = (line: string): void => void process.stdout.write(`${line}\n`);

const on = await Attacked.up();
const faults: string[] = [];
try {
  print(
    '| attack | answers | victim p50, p99, most (ms) | health p99, most (ms) | longest stretch of the loop (ms of CPU) | memory (MB) |',
  );
  print('| --- | --- | --- | --- | --- | --- |');
  print(rowOf('nothing', {}, (await watched(on, () => new Promise((r) => setTimeout(r, 5000)))).seen));
  for (const attack of ATTACKS.filter(({ name }) => name.includes(values.only))) {
    const { seen, result } = await watched(on, () => attack.run(on));
    print(rowOf(attack.name, result, seen));
    if (seen.victim.p99 > P99_MS || seen.victim.failed > 0)
      faults.push(`${attack.name}: ${JSON.stringify(seen)}`);
  }
  let sent = 0;
  let n = 0;
  let group: Made[] = [];
  const sendGroup = async (): Promise<void> => {
    sent += group.length;
    for (const fault of await faultsIn(group)) faults.push(fault);
    group = [];
    if (sent % (GROUP * 10) < GROUP) process.stderr.write(`${sent} sent, ${faults.length} beyond\n`);
  };
  for (const one of every === 0 ? [] : hostileRequests(await on.routes(), SIZES)) {
    if (n++ % every !== from) continue;
    group.push({ ...one, body: one.body?.() });
    if (group.length >= GROUP || sizeOf(group) > GROUP_BYTES) await sendGroup();
  }
  await sendGroup();
  print(`${sent} of ${n} requests of the corpus`);
} finally {
  await on.stop();
}
for (const fault of faults) print(`BEYOND: ${fault}`);
process.exitCode = faults.length > 0 ? 1 : 0;

/** What is wrong with some requests: sent together, and each alone where something is. */
async function faultsIn(group: readonly Made[]): Promise<string[]> {
  const { seen, result } = await watched(on, () => sendAll(group));
  // One that was told to come again was not looked at.
  const left = isFault(group, seen, result) ? group : group.filter((_, at) => result[at] === 429);
  const found: string[] = [];
  for (const one of left) {
    const alone = await watched(on, () => sendAll([one]));
    if (isFault([one], alone.seen, alone.result))
      found.push(
        `${alone.result.join()} ${one.route.method} ${one.route.path}: ${one.shape}: ${JSON.stringify(alone.seen)}`,
      );
  }
  return found;
}

function isFault(group: readonly Made[], { stretchMs, memoryMB }: Seen, answers: readonly number[]): boolean {
  const most = (TIMES_ITS_SIZE * sizeOf(group)) / 1e6 + NOISE_MB;
  const isBroken = answers.some((status) => status >= 500 && status !== 503);
  return stretchMs > LOOP_MS || memoryMB > most || isBroken;
}

/** Their statuses. */
async function sendAll(group: readonly Made[]): Promise<number[]> {
  const answers: number[] = [];
  const left = group.entries();
  const sendInTurn = async (): Promise<void> => {
    for (const [at, { route, path, headers, body }] of left) {
      const answer = await on.call('attacker', route.method, path, {
        headers,
        ...(body !== undefined && { body }),
      });
      await answer.arrayBuffer();
      answers[at] = answer.status;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, sendInTurn));
  return answers;
}

function sizeOf(group: readonly Made[]): number {
  return group.reduce((sum, { body }) => sum + (body?.length ?? 0), 0);
}

function rowOf(
  name: string,
  answers: Record<string, number>,
  { victim, health, memoryMB, stretchMs }: Seen,
): string {
  const got = Object.entries(answers)
    .map(([status, count]) => `${count} × ${status}`)
    .join(', ');
  const failed = victim.failed > 0 ? `, ${victim.failed} failed` : '';
  const seen = `${victim.p50}, ${victim.p99}, ${victim.max}${failed}`;
  return `| ${name} | ${got} | ${seen} | ${health.p99}, ${health.max} | ${Math.round(stretchMs)} | ${Math.round(memoryMB)} |`;
}
