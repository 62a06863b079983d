import { projectTests } from '../suite/project.ts';

// Several machines' worth of processes, other brokers, buckets and Prometheus: minutes, not part of `npm test`.
export default projectTests({
  root: import.meta.dirname,
  include: ['*.test.ts'],
  fileParallelism: false,
  testTimeout: 360_000,
  hookTimeout: 360_000,
});
