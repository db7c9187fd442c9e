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
  /** Hash: name -> id of the keys that were made through the admin API. */
  readonly apiKeyNames: string;
  /** Channel: says that `state` has changed; the message is `snapshot` or `keys`. */
  readonly changes: string;
  readonly health: HealthKeys;
  readonly ledger: LedgerKeys;
  readonly limits: LimitKeys;
  /** Under which BullMQ keeps its queues: `<queues>:<queue>:...`. */
  readonly queues: string;
}

export interface HealthKeys {
  /** Hash: endpoint key, or `provider:*` -> BreakerState JSON. */
  readonly breakers: string;
  /** The newest version of any of them. */
  readonly version: string;
  /** Channel: BreakerChange JSON. */
  readonly changes: string;
  /** Hash: endpoint key -> Measurements JSON, decayed. */
  readonly decayed: string;
  /** Hash: endpoint key -> MeasurementSummary JSON. */
  readonly summaries: string;
  /** Hash of one minute: `e:` and endpoint key, or `m:` and model id -> Measurements JSON. `minute` is since the epoch. */
  minuteSlice(minute: number): string;
  /** The same of a quarter of an hour, counts only. `quarter` is since the epoch. */
  quarterSlice(quarter: number): string;
}

export interface LimitKeys {
  /** Sorted set: replica -> when it was last seen. */
  readonly replicas: string;
  /** Hash: state of the buckets and budgets of one subject, `kind:id`. */
  buckets(subject: string): string;
  /** Hash: replica -> `slots:expiry` of one subject. */
  slots(subject: string): string;
}

export interface LedgerKeys {
  /** Stream: UsageBatch bytes in the field `batch`, not yet rolled up. */
  readonly stream: string;
  /** Hash: generation id -> UsageRecord bytes, of ten minutes. `slice` is tens of minutes since the epoch. */
  generations(slice: number): string;
  /** Hash: dimensions (JSON) -> sums, of one principal on one day or in one hour (2026-01-31, 2026-01-31T13). */
  sums(principalId: string, period: string): string;
  /** Hash of one field `all`: sums of one principal since ever. */
  total(principalId: string): string;
  /** Set: principals that have used anything on a day. */
  principals(day: string): string;
}

export function redisKeys(prefix: string): RedisKeys {
  const config = `${prefix}:{config}`;
  const health = `${prefix}:{health}`;
  const ledger = `${prefix}:{ledger}`;
  return {
    state: `${config}:state`,
    apiKeys: `${config}:api-keys`,
    configuredKeyIds: `${config}:api-keys:configured`,
    apiKeyNames: `${config}:api-keys:names`,
    changes: `${config}:changes`,
    health: {
      breakers: `${health}:breakers`,
      version: `${health}:breakers:version`,
      changes: `${health}:changes`,
      decayed: `${health}:measured:decayed`,
      summaries: `${health}:measured:summaries`,
      minuteSlice: (minute) => `${health}:measured:minute:${minute}`,
      quarterSlice: (quarter) => `${health}:measured:quarter:${quarter}`,
    },
    limits: {
      replicas: `${prefix}:{limits}:replicas`,
      buckets: (subject) => `${prefix}:{limit:${subject}}:buckets`,
      slots: (subject) => `${prefix}:{limit:${subject}}:slots`,
    },
    ledger: {
      stream: `${ledger}:stream`,
      generations: (slice) => `${ledger}:generations:${slice}`,
      sums: (principalId, period) => `${ledger}:sums:${period}:${principalId}`,
      total: (principalId) => `${ledger}:total:${principalId}`,
      principals: (day) => `${ledger}:principals:${day}`,
    },
    queues: `${prefix}:{bull}`,
  };
}
