import { configDefaults } from 'vitest/config';
import { projectTests } from './suite/project.ts';

export default projectTests({
  // Separate suites of a minute or more, which CI runs beside `npm test`.
  exclude: [
    ...configDefaults.exclude,
    'bench/*',
    'cluster/*',
    'kills/*',
    'living/*',
    'packages/*',
    'upgrade/*',
  ],
  // Each file starts a whole embedmill; two at a time would only slow each other down.
  fileParallelism: false,
  testTimeout: 360_000,
  hookTimeout: 360_000,
});
