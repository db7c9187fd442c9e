import { createHash } from 'node:crypto';
import type { Subject } from './contract.ts';

/** A subject in names of keys in Redis. What callers call their users is nobody's business there, and may be of any length. */
export function subjectKey({ kind, id }: Pick<Subject, 'kind' | 'id'>): string {
  return kind === 'user' ? `user:${createHash('sha256').update(id).digest('base64url')}` : `${kind}:${id}`;
}
