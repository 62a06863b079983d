import { execFile } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, test } from 'vitest';
import { Cluster, LOCK_SECONDS } from './cluster.ts';
import { freePort } from '../free-port.ts';
import { addRow, runFault } from './fault-case.ts';

/** Cuts the network between worker and Redis: the worker runs in its own network namespace, with one cable out. */
const NAMESPACE = `em-${process.pid}`;
const OUTSIDE = `emo${process.pid}`;
const INSIDE = `emi${process.pid}`;
/** A network of two addresses, from the range reserved for tests (RFC 2544). */
const SUBNET = `198.18.${process.pid % 250}`;
const CUT_SECONDS = 3 * LOCK_SECONDS;
const fault = `the network between worker and Redis cut for ${CUT_SECONDS} s, with locks of ${LOCK_SECONDS} s`;

const run = promisify(execFile);
const ip = (...args: string[]) => run('ip', args);
let cluster: Cluster | undefined;

afterEach(async () => {
  await cluster?.stop();
  await ip('link', 'del', OUTSIDE).catch(() => {});
  await ip('netns', 'del', NAMESPACE).catch(() => {});
});

/** Creates the namespace and its cable; false if that is not possible. */
async function plugIn(): Promise<boolean> {
  try {
    await ip('netns', 'add', NAMESPACE);
    await ip('link', 'add', OUTSIDE, 'type', 'veth', 'peer', 'name', INSIDE, 'netns', NAMESPACE);
    await ip('addr', 'add', `${SUBNET}.1/30`, 'dev', OUTSIDE);
    await ip('link', 'set', OUTSIDE, 'up');
    await ip('-n', NAMESPACE, 'addr', 'add', `${SUBNET}.2/30`, 'dev', INSIDE);
    await ip('-n', NAMESPACE, 'link', 'set', INSIDE, 'up');
    await ip('-n', NAMESPACE, 'link', 'set', 'lo', 'up');
    return true;
  } catch {
    return false;
  }
}

// The store is reached through its socket, which network namespaces do not cut off.
test.skipIf(process.env['QDRANT_URL'] !== undefined)('the network to Redis cut', async ({ skip }) => {
  if (!(await plugIn())) {
    await addRow({ fault, skipped: 'network namespaces are not allowed here' });
    return skip('network namespaces are not allowed here');
  }
  const port = await freePort();
  cluster = await Cluster.start({
    workers: 2,
    redisAddress: { host: `${SUBNET}.1`, port },
    redisUrlOf: { 'worker-1': `redis://${SUBNET}.1:${port}` },
    within: { 'worker-1': ['ip', 'netns', 'exec', NAMESPACE] },
  });
  await runFault(cluster, {
    fault,
    async inject() {
      await ip('link', 'set', OUTSIDE, 'down');
      await setTimeout(CUT_SECONDS * 1000);
      await ip('link', 'set', OUTSIDE, 'up');
    },
  });
});
