export { type BatchPolicy, DEFAULT_BATCHES } from './batch-policy.ts';
export { DEFAULT_HEALTH, toRoutingTable, type Unsealer } from './build-table.ts';
export { BUILTIN_MODELS, type BuiltinModel } from './builtin-models.ts';
export { DEFAULT_EMBEDDINGS, type EmbeddingPolicy, type EmbeddingQueuePolicy } from './embedding-policy.ts';
export { embeddingProviders } from './embedding-providers.ts';
export { DEFAULT_FILES, type FilePolicy, type S3Policy } from './file-policy.ts';
export { budgetMessage, limitsMessage, toBudget, toLimits } from './limit-messages.ts';
export type { BudgetPolicy, LimitPolicy, Limits, OidcIssuerEntry } from './limit-policy.ts';
export { withAccount } from './relocate.ts';
export { type ResolveOptions, resolveSnapshot, type Sealer } from './resolve.ts';
export type {
  BreakerPolicy,
  DrainPolicy,
  EndpointEntry,
  EndpointPricing,
  EndpointTimeouts,
  HealthPolicy,
  ModelEntry,
  ProviderEntry,
  RoutingTable,
  ServerPolicy,
} from './routing-table.ts';
