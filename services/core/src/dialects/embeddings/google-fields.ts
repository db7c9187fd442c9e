import type { Target } from '../dialect.ts';
import type { EmbeddingCall } from '../embedding-dialect.ts';
import { type Body, checkDimensions, layOver, purposeOf, refused, Wishes } from './fields.ts';

/** https://ai.google.dev/gemini-api/docs/embeddings#supported-task-types */
const TASKS = {
  query: 'RETRIEVAL_QUERY',
  document: 'RETRIEVAL_DOCUMENT',
  classification: 'CLASSIFICATION',
  clustering: 'CLUSTERING',
} as const;

/** Settings of a call to Google, by Google's names. */
export interface GoogleSettings {
  /** taskType, title, outputDimensionality, autoTruncate, and what the provider's own options add. */
  readonly fields: Body;
  readonly warnings: readonly string[];
}

/** The client's wishes for one of Google's embedding models, at either of its APIs. `names`: what this API takes of them. */
export function googleSettings(call: EmbeddingCall, target: Target, names: readonly string[]): GoogleSettings {
  // Models before text-embedding-004 have one size, and pass over the wish for another.
  if (/gecko(-multilingual)?@00[12]|gecko@003|(^|\/)embedding-001/.test(target.model)) {
    checkDimensions(call.dimensions, [], target);
  }
  const wishes = new Wishes(call);
  const task = purposeOf(wishes, TASKS);
  const fields: Body = {};
  if (task !== undefined) fields.taskType = task.toUpperCase();
  if (call.dimensions !== null) fields.outputDimensionality = call.dimensions;
  const title = wishes.take('title');
  if (title !== undefined) fields.title = title;
  if (names.includes('autoTruncate')) {
    const truncate = wishes.take('auto_truncate', 'autoTruncate');
    if (truncate !== undefined) fields.autoTruncate = truncate;
  }
  const warnings = [...wishes.done()];
  layOver(fields, call.options, ['content', 'model', 'instances', 'requests', 'parameters'], target, warnings);
  for (const name of Object.keys(fields)) {
    if (names.includes(name)) continue;
    delete fields[name];
    warnings.push(`providerOptions.${target.provider}.${name}: not taken by this provider, dropped`);
  }
  if (fields.title !== undefined && fields.taskType !== TASKS.document) {
    throw refused('title', 'unsupported_value', 'title: only goes with the task type RETRIEVAL_DOCUMENT.');
  }
  return { fields, warnings };
}
