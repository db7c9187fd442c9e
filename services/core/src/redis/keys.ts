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
  readonly files: FileKeys;
  readonly batches: BatchKeys;
  /** On the Redis of the queues, which may be another one. */
  readonly embeds: EmbedKeys;
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
  /** Hash: replica -> what it tells of limits that it has more than its part of; JSON. */
  readonly shortages: string;
  /** Channel: shortages that others must hear of at once; JSON. */
  readonly news: string;
  /** Hash: state of the buckets and budgets of one subject, `kind:id`. */
  buckets(subject: string): string;
  /** Hash: replica -> `slots:expiry` of one subject. */
  slots(subject: string): string;
}

export interface FileKeys {
  /** Sorted set: owner -> when it is to be looked at, milliseconds since the epoch. */
  readonly owners: string;
  ofOwner(owner: string): OwnerFileKeys;
  /** A block of 256 KB of a body, or the last one. */
  block(body: string, index: number): string;
}

export interface OwnerFileKeys {
  /** Hash: bytes and files, those on their way counted. */
  readonly sums: string;
  /** Hash: body -> bytes reserved, of uploads on their way. */
  readonly uploads: string;
  /** Sorted set: `file:<id>` or `upload:<body>` -> when it ends by itself, milliseconds since the epoch. */
  readonly due: string;
  /** Hash: body -> `bytes:finished`, of bodies that are to be removed. */
  readonly garbage: string;
  /** Hash: file id -> FileFacts JSON. */
  readonly facts: string;
  /** Sorted set: file id -> microseconds of creation; of all files, or of one purpose. */
  order(purpose?: string): string;
}

export interface BatchKeys {
  /** Hash: the batch, see batches/batch-record.ts. */
  batch(id: string): string;
  /** Hash: number of a line -> its result; `epoch` of the worker that has the shard. */
  shard(id: string, shard: number): string;
  /** Sorted set: batches that have not ended -> seconds of creation. */
  readonly open: string;
  /** Sorted set: batches of a principal -> seconds of creation. */
  owned(owner: string): string;
  /** Hash: digest of the request, and id of the batch that it made. `digest` is of the key that the client sent. */
  idempotency(owner: string, digest: string): string;
}

export interface EmbedKeys {
  /** Sorted set: embedder -> when it was last seen, milliseconds since the epoch. */
  readonly embedders: string;
  /** Hash: a queued chunk of a request: epoch, and once done its `head` (EmbeddingOutcome bytes) and `data`. */
  chunk(id: string): string;
  /** Channel: ids of chunks that are done, for the process that waits for them. */
  done(waiter: string): string;
  /** Channel: ids of chunks that nobody waits for any more. */
  readonly cancelled: string;
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
      shortages: `${prefix}:{limits}:shortages`,
      news: `${prefix}:{limits}:news`,
      buckets: (subject) => `${prefix}:{limit:${subject}}:buckets`,
      slots: (subject) => `${prefix}:{limit:${subject}}:slots`,
    },
    files: {
      owners: `${prefix}:{files}:owners`,
      ofOwner: (owner) => ownerFileKeys(`${prefix}:{files:${owner}}`),
      block: (body, index) => `${prefix}:{file:${body}}:${index}`,
    },
    batches: {
      batch: (id) => `${prefix}:{batch:${id}}`,
      shard: (id, shard) => `${prefix}:{batch:${id}}:shard:${shard}`,
      open: `${prefix}:{batches}:open`,
      owned: (owner) => `${prefix}:{batches:${owner}}:all`,
      idempotency: (owner, digest) => `${prefix}:{batches:${owner}}:idempotency:${digest}`,
    },
    embeds: {
      embedders: `${prefix}:{embeds}:embedders`,
      chunk: (id) => `${prefix}:{embed:${id}}`,
      done: (waiter) => `${prefix}:{embeds}:done:${waiter}`,
      cancelled: `${prefix}:{embeds}:cancelled`,
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

function ownerFileKeys(owner: string): OwnerFileKeys {
  return {
    sums: `${owner}:sums`,
    uploads: `${owner}:uploads`,
    due: `${owner}:due`,
    garbage: `${owner}:garbage`,
    facts: `${owner}:facts`,
    order: (purpose) => (purpose === undefined ? `${owner}:order` : `${owner}:order:${purpose}`),
  };
}
