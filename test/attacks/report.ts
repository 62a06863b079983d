/**
 * `npm run bench:attacks`: what a victim sees of each attack, and which requests of the whole corpus hold the server up.
 * Ends with 1 where a victim's p99 is beyond a second, a request holds the event loop for more than 120 ms of processor
 * time, or one takes more than sixteen times its own size. Latencies are meant for a machine with nothing else to do.
 */
import { parseArgs } from 'node:util';
import { Attacked } from './attacked.ts';
import { ATTACKS } from './attacks.ts';
import { hostileRequests, SIZES } from './corpus.ts';
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
  for (const one of every === 0 ? [] : hostileRequests(await on.routes(), SIZES)) {
    if (n++ % every !== from) continue;
    const { seen, result } = await watched(on, async () => {
      const answer = await on.call('attacker', one.route.method, one.path, {
        headers: one.headers,
        ...(one.body !== undefined && { body: one.body }),
      });
      await answer.arrayBuffer();
      return answer.status;
    });
    sent += 1;
    const most = (TIMES_ITS_SIZE * (one.body?.length ?? 0)) / 1e6 + NOISE_MB;
    const isFault = seen.stretchMs > LOOP_MS || seen.memoryMB > most || (result >= 500 && result !== 503);
    if (isFault)
      faults.push(`${result} ${one.route.method} ${one.route.path}: ${one.shape}: ${JSON.stringify(seen)}`);
  }
  print(`${sent} of ${n} requests of the corpus`);
} finally {
  await on.stop();
}
for (const fault of faults) print(`BEYOND: ${fault}`);
process.exitCode = faults.length > 0 ? 1 : 0;

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
