import type { Target } from '../dialect.ts';

/** Versions of the v1 surface, which is the one to use when none is named. */
const V1 = new Set(['', 'v1', 'preview', 'latest']);

/**
 * Where a deployment (`target.model`) answers: with a dated `apiVersion` on its own path, else on the v1 surface, which reads
 * the deployment from the body. A base URL may be the resource's alone, or end as the portal shows it (`/openai`, `/openai/v1`).
 */
export function deploymentUrl(
  { baseUrl, model, settings }: Target,
  operation: 'chat/completions' | 'embeddings',
): string {
  const resource = baseUrl.replace(/\/openai(\/v1)?\/?$/, '');
  const version = settings.apiVersion?.trim() ?? '';
  if (!V1.has(version)) {
    const deployment = `${resource}/openai/deployments/${encodeURIComponent(model)}`;
    return `${deployment}/${operation}?api-version=${encodeURIComponent(version)}`;
  }
  const query = version === 'preview' || version === 'latest' ? `?api-version=${version}` : '';
  return `${resource}/openai/v1/${operation}${query}`;
}
