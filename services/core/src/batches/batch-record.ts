import {
  BATCH_ENDPOINTS,
  BATCH_STATUSES,
  type Batch,
  type BatchDraft,
  type BatchProblem,
  type Shard,
} from './contract.ts';

/** A batch as its hash in Redis: fields are text, and absent where there is nothing to say. */
export type BatchFields = Readonly<Record<string, string>>;

/** What a new batch starts with. */
export function newFields(id: string, draft: BatchDraft, createdAt: number, expiresAt: number): Record<string, string> {
  const { owner, principal, endpoint, inputFileId, completionWindow, metadata, outputExpiresAfterS } = draft;
  return {
    id,
    owner,
    ...(principal === '' ? {} : { principal }),
    endpoint,
    inputFileId,
    completionWindow,
    status: 'validating',
    createdAt: String(createdAt),
    expiresAt: String(expiresAt),
    ...(metadata === null ? {} : { metadata: JSON.stringify(metadata) }),
    ...(outputExpiresAfterS === null ? {} : { outputExpiresAfterS: String(outputExpiresAfterS) }),
  };
}

/** Null where the hash is gone, or was written by a newer version in a way that cannot be read. */
export function readBatch(fields: BatchFields): Batch | null {
  const endpoint = BATCH_ENDPOINTS.find((one) => one === fields.endpoint);
  const status = BATCH_STATUSES.find((one) => one === fields.status);
  const { id, owner, inputFileId } = fields;
  if (endpoint === undefined || status === undefined || !id || !owner || !inputFileId) return null;
  const time = (name: string): number | null => (fields[name] === undefined ? null : Number(fields[name]));
  const count = (name: string): number => Number(fields[name] ?? 0);
  return {
    id,
    owner,
    endpoint,
    inputFileId,
    completionWindow: fields.completionWindow ?? '24h',
    status,
    model: fields.model ?? null,
    problems: fields.problems === undefined ? [] : (JSON.parse(fields.problems) as BatchProblem[]),
    outputFileId: fields.outputFileId ?? null,
    errorFileId: fields.errorFileId ?? null,
    outputExpiresAfterS: time('outputExpiresAfterS'),
    createdAt: count('createdAt'),
    inProgressAt: time('inProgressAt'),
    expiresAt: count('expiresAt'),
    finalizingAt: time('finalizingAt'),
    completedAt: time('completedAt'),
    failedAt: time('failedAt'),
    expiredAt: time('expiredAt'),
    cancellingAt: time('cancellingAt'),
    cancelledAt: time('cancelledAt'),
    total: count('total'),
    completed: count('completed'),
    failed: count('failed'),
    usage: {
      inputTokens: count('inputTokens'),
      cachedTokens: count('cachedTokens'),
      outputTokens: count('outputTokens'),
      reasoningTokens: count('reasoningTokens'),
    },
    metadata: fields.metadata === undefined ? null : (JSON.parse(fields.metadata) as Record<string, string>),
  };
}

/** `from,to,firstLine,requests` of each, joined by `;`: 1,000 shards are 30 KB. */
export const writeShards = (shards: readonly Shard[]): string =>
  shards.map(({ from, to, firstLine, requests }) => [from, to, firstLine, requests].join(',')).join(';');

export function readShards(text: string): readonly Shard[] {
  if (text === '') return [];
  return text.split(';').map((one, number) => {
    const [from = 0, to = 0, firstLine = 1, requests = 0] = one.split(',').map(Number);
    return { number, from, to, firstLine, requests };
  });
}
