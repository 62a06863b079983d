export { canUnpackRedis, unpackRedis } from './redis-package.ts';
export {
  findRedisProgram,
  howToInstall,
  presentRedisProgram,
  programOnPath,
  type RedisProgram,
} from './redis-program.ts';
export { startTestRedis, testRedisProgram, type TestRedis } from './test-redis.ts';
