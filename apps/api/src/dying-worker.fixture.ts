import { profileSchema } from '@embedmill/jobs';
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
    const none = {
      skipped: 0,
      failed: 0,
      duplicates: 0,
      superseded: 0,
      deleted: 0,
      added: 0,
      reused: 0,
      truncated: 0,
    };
    return { index, documents, stored: documents, chunks: documents, tokens: documents, ...none };
  },
  query: () => Promise.reject(new Error('no queries here')),
});
process.on('disconnect', () => process.exit(0));
