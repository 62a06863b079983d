import { parseArgs } from 'node:util';
import { Embedmill } from './embedmill.ts';
import { measureLoad } from './load.ts';

/**
 * `npm run bench -- load`: many clients beside a bulk job. Exits with 1 if a client got an error or a connection broke.
 */
const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '30' },
    rate: { type: 'string' },
    documents: { type: 'string', default: '100000' },
    'max-requests': { type: 'string' },
  },
});
const maxRequests = values['max-requests'];
const mill = await Embedmill.up({
  env: maxRequests === undefined ? {} : { EMBEDMILL_API_MAX_REQUESTS: maxRequests },
});
try {
  const report = await measureLoad(mill, {
    clients: Number(values.clients),
    seconds: Number(values.seconds),
    documents: Number(values.documents),
    rate: values.rate === undefined ? undefined : Number(values.rate),
  });
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  const { answers, broken } = report;
  if (answers['5xx'] > 0 || answers['4xx'] > 0 || broken > 0) process.exitCode = 1;
} finally {
  await mill.stop();
}
