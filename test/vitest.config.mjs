import { configDefaults } from 'vitest/config';
import { projectTests } from './suite/project.ts';

export default projectTests({
  // Suites of their own, of a minute or more, which CI runs beside `npm test`.
  exclude: [
    ...configDefaults.exclude,
    'bench/*',
    'cluster/*',
    'kills/*',
    'living/*',
    'packages/*',
    'upgrade/*',
  ],
  // Each file starts a whole embedmill; two at a time would only measure how they starve each other.
  fileParallelism: false,
  testTimeout: 360_000,
  hookTimeout: 360_000,
});
