import type { Target } from '../dialect.ts';
import type { Publisher } from './publisher.ts';

/** A model may be named in full (a tuned one's `projects/.../endpoints/...`), or from its kind on (`endpoints/...`). */
export function modelPath({ model, settings }: Target, publisher: Publisher): string {
  if (model.startsWith('projects/')) return model;
  const { project = '', location = '' } = settings;
  const within = model.includes('/') ? model : `publishers/${publisher}/models/${model}`;
  return `projects/${project}/locations/${location}/${within}`;
}
