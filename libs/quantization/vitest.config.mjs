import { projectTests } from '../../test/suite/project.ts';

export default projectTests();
