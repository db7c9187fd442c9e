import type { LineCall, LineTools } from './line-tools.ts';
import type { LineOutcome } from './shard-run.ts';

export const EMBEDDING_LINE_ROUTE = '/v1/batches:embeddings';

export async function runEmbeddingLine(_call: LineCall, _tools: LineTools): Promise<LineOutcome> {
  throw new Error('not yet');
}
