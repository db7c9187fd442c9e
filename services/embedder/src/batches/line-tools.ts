import { type LineAnswer, NO_USAGE } from '@headgate/core/batches';
import type { RoutingTable } from '@headgate/core/catalog';
import type { EmbeddingRunner } from '@headgate/core/embeddings';
import type { GatewayError } from '@headgate/core/errors';
import type { Principal } from '@headgate/core/identity';
import type { LearnedOutput } from '@headgate/core/limits';
import type { AffinityMemory } from '@headgate/core/routing';
import type { RequestObservation } from '@headgate/core/telemetry';
import type { EmbedderParts } from '../parts.ts';

/** What a process has at hand to run requests of batches. */
export interface LineTools {
  readonly parts: EmbedderParts;
  readonly learnedOutput: LearnedOutput;
  readonly affinity: AffinityMemory;
  readonly embeddings: EmbeddingRunner;
}

/** One try of one request. */
export interface LineCall {
  readonly principal: Principal;
  readonly table: RoutingTable;
  /** JSON text. */
  readonly body: Buffer;
  readonly requestId: string;
  readonly generationId: string;
  readonly observation: RequestObservation;
  /** `performance.now()` */
  readonly startedAt: number;
  readonly seed: number;
  readonly signal: AbortSignal;
}

export const errorAnswer = (error: GatewayError): LineAnswer => ({
  status: error.status,
  body: JSON.stringify(error.toBody()),
  usage: NO_USAGE,
});
