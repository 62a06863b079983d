import { projectTests } from '../suite/project.ts';

// A release and the one before take turns over the same data: minutes, not part of `npm test`.
export default projectTests({
  root: import.meta.dirname,
  include: ['*.test.ts'],
  fileParallelism: false,
  testTimeout: 600_000,
  hookTimeout: 360_000,
});
