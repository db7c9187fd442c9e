/**
 * Every key and channel that Headgate uses in Redis. Keys that one script touches share a hash tag, so that they live
 * on one node of a Cluster.
 */
export interface RedisKeys {
  /** Hash: snapshotVersion, snapshotDigest, snapshot (RoutingSnapshot bytes), keysVersion, keysStamp. */
  readonly state: string;
  /** Hash: key id -> ApiKey bytes. */
  readonly apiKeys: string;
  /** Set: ids of the keys that come from headgate.yaml or HEADGATE_API_KEY. */
  readonly configuredKeyIds: string;
  /** Channel: says that `state` has changed; the message is `snapshot` or `keys`. */
  readonly changes: string;
}

export function redisKeys(prefix: string): RedisKeys {
  const config = `${prefix}:{config}`;
  return {
    state: `${config}:state`,
    apiKeys: `${config}:api-keys`,
    configuredKeyIds: `${config}:api-keys:configured`,
    changes: `${config}:changes`,
  };
}
