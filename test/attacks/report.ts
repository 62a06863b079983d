/**
 * `npm run bench -- attacks`: what a victim sees of each attack, and which requests of the whole corpus block the
 * server. Exits with 1 if a victim's p99 exceeds a second, or a request blocks the event loop for more than 120 ms of
 * CPU time or takes more than sixteen times its own size in memory. Latencies are meaningful only on an otherwise idle
 * machine.
 */
import { parseArgs } from 'node:util';
import { Attacked } from './attacked.ts';
import { ATTACKS } from './attacks.ts';
import { hostileRequests, SIZES, type Hostile } from './corpus.ts';
import { watched, type Seen } from './watch.ts';

/**
 * `--every 10` sends every tenth request of the corpus, 0 none; `--from 3` begins with the fourth. Together they send
 * the whole corpus in parts. `--only TEXT` runs only attacks with this text in their names.
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
/** Allowance for garbage from other requests. */
const NOISE_MB = 64;
/**
 * How many requests of the corpus are watched together, how many are sent at the same time, and how many bytes a group
 * may have.
 */
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

/** The faults of a group of requests: sent together first, then one by one if the group shows a fault. */
async function faultsIn(group: readonly Made[]): Promise<string[]> {
  const { seen, result } = await watched(on, () => sendAll(group));
  // Requests that were told to come again (429) were not processed.
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

/** Sends the requests and returns their statuses. */
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
