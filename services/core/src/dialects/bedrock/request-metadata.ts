import type { Controls } from '../../chat/index.ts';
import type { Fields } from '../translation/index.ts';

const MOST = 16;
/** The service's pattern (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html). */
const KEY = /^[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}$/;
const VALUE = /^[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}$/;

/** `user` and `metadata` as pairs by which invocation logs can be filtered; what does not fit their pattern is dropped with a warning. */
export function requestMetadata(controls: Controls, fields: Fields): { requestMetadata?: Record<string, string> } {
  const user = fields.take('user');
  const identifier = fields.take('safety_identifier');
  const metadata = fields.take('metadata');
  const pairs = new Map<string, string>();
  const add = (path: string, name: string, value: unknown): void => {
    if (typeof value !== 'string' || !KEY.test(name) || !VALUE.test(value)) {
      fields.warn(path, "not of the provider's pattern for request metadata, dropped");
    } else if (pairs.size >= MOST || pairs.has(name)) fields.warn(path, 'one pair of metadata too many, dropped');
    else pairs.set(name, value);
  };
  if (controls.user !== null) add(user === undefined ? 'safety_identifier' : 'user', 'user', controls.user);
  if (user !== undefined && identifier !== undefined && identifier !== user) {
    add('safety_identifier', 'safety_identifier', identifier);
  }
  if (typeof metadata === 'object' && metadata !== null) {
    for (const [name, value] of Object.entries(metadata)) add(`metadata.${name}`, name, value);
  }
  return pairs.size > 0 ? { requestMetadata: Object.fromEntries(pairs) } : {};
}
