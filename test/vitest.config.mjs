import { projectTests } from './suite/project.ts';

// Each file starts a whole embedmill; two at a time would only measure how they starve each other.
export default projectTests({ fileParallelism: false, testTimeout: 360_000, hookTimeout: 360_000 });
