import { projectTests } from '../suite/project.ts';

// The model-based test: CI's share of runs, or as many as MODEL_RUNS says. Not part of `npm test`.
export default projectTests({
  root: import.meta.dirname,
  include: ['model.test.ts'],
  testTimeout: 24 * 3600_000,
});
