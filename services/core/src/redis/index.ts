export {
  type ConnectionHooks,
  createQueueConnection,
  createRequestClient,
  createSubscriber,
  duplicateAsSubscriber,
  type RedisClient,
} from './client.ts';
export { type HealthKeys, type RedisKeys, redisKeys } from './keys.ts';
export { LuaScript } from './lua-script.ts';
export { parseRedisUrl, type RedisNode, type RedisTarget } from './url.ts';
