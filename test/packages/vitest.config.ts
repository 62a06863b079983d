import { projectTests } from '../suite/project.ts';

// Packages are built and installed into empty folders: takes minutes, not part of `npm test`.
export default projectTests({
  root: import.meta.dirname,
  include: ['*.test.ts'],
  fileParallelism: false,
  testTimeout: 360_000,
  hookTimeout: 600_000,
});
