export { programOnPath, type RedisProgram } from './program.ts';
export { canUnpackRedis, unpackRedis } from './redis-package.ts';
export { findRedisProgram, howToInstall, presentRedisProgram } from './redis-program.ts';
export { startTestRedis, testRedisProgram, type TestRedis } from './test-redis.ts';
export { startTestCluster, type TestCluster } from './test-cluster.ts';
export { startTestSentinel, type TestSentinel } from './test-sentinel.ts';
export { hasOpenssl } from './test-certificates.ts';
export { startTestTlsRedis, type TestTlsRedis } from './test-tls-redis.ts';
