export { programOnPath, type RedisProgram } from './program.ts';
export { canUnpackRedis, unpackRedis } from './redis-package.ts';
export { findRedisProgram, howToInstall, presentRedisProgram } from './redis-program.ts';
export { startTestRedis, testRedisProgram, type TestRedis } from './test-redis.ts';
