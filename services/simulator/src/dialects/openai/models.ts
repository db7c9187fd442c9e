import type { Model } from 'openai/resources/models';

const created = 1_715_367_049;

const names = [
  'gpt-4o',
  'gpt-4o-mini',
  'gpt-4.1',
  'gpt-5',
  'gpt-5-mini',
  'o4-mini',
  'text-embedding-3-small',
  'text-embedding-3-large',
  'text-embedding-ada-002',
];

/** Any name is served; the list names a few. */
export function describeModel(id: string): Model {
  return { id, object: 'model', created, owned_by: 'simulator' };
}

export function listModels(): { object: 'list'; data: Model[] } {
  return { object: 'list', data: names.map(describeModel) };
}
