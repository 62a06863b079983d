export { missingPostgres, startTestPostgres, type TestPostgres } from './test-postgres.ts';
