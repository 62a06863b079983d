import { projectTests } from '../suite/project.ts';

// As many processes as on several machines, other brokers, buckets and Prometheus: takes minutes, not part of `npm
// test`.
export default projectTests({
  root: import.meta.dirname,
  include: ['*.test.ts'],
  fileParallelism: false,
  testTimeout: 360_000,
  hookTimeout: 360_000,
});
