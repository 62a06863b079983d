import { projectTests } from '../suite/project.ts';

// The model-based test for as long as one likes: not part of `npm test`.
export default projectTests({
  root: import.meta.dirname,
  include: ['model.test.ts'],
  env: { MODEL_RUNS: process.env['MODEL_RUNS'] ?? '10000' },
  testTimeout: 24 * 3600_000,
});
