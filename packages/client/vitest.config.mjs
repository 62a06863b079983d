import { projectTests } from '../../test/suite/project.ts';

// What the API's description says depends on the schemas that a process has loaded, so each file has its own.
export default projectTests({ isolate: true });
