import { serveParsing } from '@embedmill/parsing';

await serveParsing(import.meta.filename);
