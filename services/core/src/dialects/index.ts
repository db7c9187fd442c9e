export type {
  AnswerMetadata,
  ChatAnswer,
  Dialect,
  EncodedRequest,
  FetchedMedia,
  FrameSink,
  StreamDecoder,
  StreamProgress,
  Target,
} from './dialect.ts';
export type {
  EmbeddingAnswer,
  EmbeddingCall,
  EmbeddingDialect,
  EmbeddingFormat,
  EmbeddingItem,
  EmbeddingLimits,
  EmbeddingVector,
} from './embedding-dialect.ts';
export { findEmbeddingDialect } from './embeddings/registry.ts';
export { findDialect } from './registry.ts';
export { detailKey, detailText, type ToldCall, type ToldChoice, type ToldDelta, Transcript } from './transcript.ts';
