import { NO_COUNTS, profileSchema } from '@embedmill/jobs';
import { ModelConsumer, type QueueOptions } from '@embedmill/queue';

/** A worker for a test: stores any shard at once, but shard 1 kills its whole process each time. */
const consumer = await ModelConsumer.open({
  ...(JSON.parse(process.argv[2] ?? '') as QueueOptions),
  shardConcurrency: 1,
  queryConcurrency: 1,
  lockMs: 400,
  onError: () => {},
});
consumer.serve(profileSchema.parse({}).model, {
  shard: async ({ index, range: { documents } }) => {
    if (index === 1) process.kill(process.pid, 'SIGKILL');
    return { ...NO_COUNTS, index, documents, stored: documents, chunks: documents, tokens: documents };
  },
  query: () => Promise.reject(new Error('no queries here')),
});
process.on('disconnect', () => process.exit(0));
