import type { Target } from '../dialect.ts';

export type Publisher = 'google' | 'anthropic';

/** Whose language a model on Vertex speaks: as configured, else by its name (DESIGN 4). */
export function publisherOf({ publisher, model }: Target): Publisher {
  if (publisher === 'anthropic' || publisher === 'google') return publisher;
  return model.includes('claude') ? 'anthropic' : 'google';
}
