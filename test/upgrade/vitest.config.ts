import { projectTests } from '../suite/project.ts';

// A release and the previous one take turns on the same data: takes minutes, not part of `npm test`.
export default projectTests({
  root: import.meta.dirname,
  include: ['*.test.ts'],
  fileParallelism: false,
  testTimeout: 600_000,
  hookTimeout: 360_000,
});
