import type { Controls } from '../../chat/index.ts';
import type { Fields } from '../translation/index.ts';

const MOST_LABELS = 64;
const LONGEST = 63;

/**
 * `user` and `metadata` as labels, which show up in Google Cloud's billing; Vertex alone has them. Keys and values are of lower-case
 * letters, digits, `_` and `-`, at most 63 of them, and a key begins with a letter.
 */
export function encodeLabels(controls: Controls, fields: Fields): { labels?: Record<string, string> } {
  fields.take('user');
  fields.take('safety_identifier');
  const metadata = fields.take('metadata');
  const labels = new Map<string, string>();
  const add = (path: string, name: string, value: unknown): void => {
    const key = clean(name).replace(/^[^a-z]+/, '');
    if (key === '' || (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')) {
      fields.warn(path, 'cannot be a label, dropped');
    } else if (labels.size >= MOST_LABELS || labels.has(key)) fields.warn(path, 'one label too many, dropped');
    else {
      const text = clean(String(value));
      if (key !== name || text !== String(value))
        fields.warn(path, `sent as the label ${key}: ${JSON.stringify(text)}`);
      labels.set(key, text);
    }
  };
  if (controls.user !== null) add('user', 'user', controls.user);
  if (typeof metadata === 'object' && metadata !== null) {
    for (const [name, value] of Object.entries(metadata)) add(`metadata.${name}`, name, value);
  }
  return labels.size > 0 ? { labels: Object.fromEntries(labels) } : {};
}

const clean = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, '_')
    .slice(0, LONGEST);
