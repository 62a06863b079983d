import { projectTests } from '../suite/project.ts';

// Jobs whose processes are killed, and what is stored afterwards: takes minutes, not part of `npm test`.
export default projectTests({
  root: import.meta.dirname,
  include: ['*.test.ts'],
  fileParallelism: false,
  testTimeout: 360_000,
  hookTimeout: 360_000,
});
