import { content } from './fields.ts';
import { flag, int32, message, oneOf, type Parse, repeated, text } from './proto.ts';

const taskTypes = [
  'TASK_TYPE_UNSPECIFIED',
  'RETRIEVAL_QUERY',
  'RETRIEVAL_DOCUMENT',
  'SEMANTIC_SIMILARITY',
  'CLASSIFICATION',
  'CLUSTERING',
  'QUESTION_ANSWERING',
  'FACT_VERIFICATION',
  'CODE_RETRIEVAL_QUERY',
] as const;

const taskType = oneOf('TaskType', ...taskTypes);

/** EmbedContentRequest (API reference: "Embeddings"). */
const embedContent = message(() => ({
  model: text,
  content,
  taskType,
  title: text,
  outputDimensionality: int32,
  embedContentConfig: message(() => ({
    taskType,
    title: text,
    outputDimensionality: int32,
    autoTruncate: flag,
    documentOcr: flag,
    audioTrackExtraction: flag,
  })),
}));

/** What each embedding method takes; `predict` is Vertex's own. */
export const embedParsers = {
  embedContent,
  batchEmbedContents: message(() => ({ requests: repeated(embedContent) })),
  predict: message(() => ({
    instances: repeated(message(() => ({ content: text, taskType, title: text, mimeType: text }))),
    parameters: message(() => ({ outputDimensionality: int32, autoTruncate: flag })),
  })),
} as const satisfies Record<string, Parse>;

export type EmbedMethod = keyof typeof embedParsers;
