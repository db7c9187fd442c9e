/** Settings of the person at the terminal, which would change what the tests see. */
const PERSONAL = /^(HEADGATE_.*|OTEL_.*|REDIS_URL|.*_API_KEY|.*_BASE_URL)$/;

/**
 * @param {NodeJS.ProcessEnv} env
 * @param {import('./redis.mjs').RedisProgram} redis
 * @returns {NodeJS.ProcessEnv} what tests run with: no personal settings, and the redis-server that they start
 *   themselves, each its own
 */
export function testEnvironment(env, redis) {
  return {
    ...Object.fromEntries(Object.entries(env).filter(([name]) => !PERSONAL.test(name))),
    HEADGATE_REDIS_SERVER: redis.path,
    HEADGATE_REDIS_LIBRARY_PATH: redis.libraryPath,
  };
}
