import { serveParsing } from './parsing-process.ts';

await serveParsing(import.meta.filename);
