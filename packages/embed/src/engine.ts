import { serveEngine } from '@embedmill/inference';

serveEngine();
