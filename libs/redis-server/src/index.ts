export { startTestRedis, type TestRedis } from './test-redis.ts';
