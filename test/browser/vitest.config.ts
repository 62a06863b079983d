import { projectTests } from '../suite/project.ts';

// The console in a real Chromium, on a whole embedmill: takes a minute or two, so it is not part of `npm test`.
export default projectTests({
  root: import.meta.dirname,
  include: ['*.browser.ts'],
  fileParallelism: false,
  testTimeout: 240_000,
  hookTimeout: 360_000,
});
