import type { StoredFiles } from '@headgate/core/files';
import type { HealthBoard } from '@headgate/core/health';
import type { UsageWriter } from '@headgate/core/ledger';
import type { RedisLimiter } from '@headgate/core/limits';
import type { LateUsage } from '@headgate/core/relay';
import type { SnapshotFeed } from '@headgate/core/snapshot';
import type { Telemetry } from '@headgate/core/telemetry';
import type { Authorizers, UpstreamPools } from '@headgate/core/upstream';

/** What an embedder has at hand for its work; whoever made them stops them. */
export interface EmbedderParts {
  readonly feed: SnapshotFeed;
  readonly pools: UpstreamPools;
  readonly authorizers: Authorizers;
  readonly health: HealthBoard;
  readonly limiter: RedisLimiter;
  readonly usage: UsageWriter;
  readonly lateUsage: LateUsage;
  readonly files: StoredFiles;
  readonly telemetry: Telemetry;
  readonly redisUrl: string;
  /** Where BullMQ keeps its queues; the same, or another Redis. */
  readonly queueUrl: string;
  readonly prefix: string;
}
