import type { z } from 'zod';
import { GatewayError } from '../errors/index.ts';

type Issue = z.core.$ZodIssue;

/** Where clients put credentials (`providerOptions.gateway.byok`): what stands inside is never quoted. */
const SECRETS = 'byok';
const LONGEST_KEY = 64;

/**
 * The first thing wrong with a request, as the error that the client gets: it names the path, what was found where that
 * helps, and what is expected (seed, "error responses"; WIRE 2.11).
 */
export function validationError(issues: readonly Issue[], input: unknown): GatewayError {
  const [first] = issues;
  if (!first) return new GatewayError('invalid_request_error', 'Invalid request.');
  const issue = deepest(first);
  const path = issue.path.map(String).join('.');
  const found = valueAt(input, issue.path);
  if (found === undefined && issue.code !== 'custom') {
    return new GatewayError('invalid_request_error', `Invalid request: missing required parameter '${path}'`, {
      param: path,
      code: 'missing_parameter',
    });
  }
  if (issue.issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.issue.keys;
    const at = `${path === '' ? '' : `${path}.`}${key.slice(0, LONGEST_KEY)}`;
    return new GatewayError('invalid_request_error', `Invalid request: unknown parameter '${at}'`, {
      param: at,
      code: 'unknown_parameter',
    });
  }
  const message = path === '' ? 'Invalid request' : `Invalid request: invalid value for '${path}'`;
  const shown = issue.path[2] === SECRETS ? kind : brief;
  return new GatewayError('invalid_request_error', `${message}: ${explain(issue, found, shown)}`, {
    param: path === '' ? null : path,
    code: codeOf(issue),
  });
}

interface Located {
  readonly code: Issue['code'];
  readonly path: readonly PropertyKey[];
  readonly issue: Issue;
}

/** Follows a union into the alternative that the input came closest to: the one whose first fault lies deepest. */
function deepest(issue: Issue, prefix: readonly PropertyKey[] = []): Located {
  const path = [...prefix, ...issue.path];
  if (issue.code !== 'invalid_union') return { code: issue.code, path, issue };
  let best: Located = { code: issue.code, path, issue };
  for (const alternative of issue.errors) {
    const [first] = alternative;
    if (!first) continue;
    const found = deepest(first, path);
    if (found.path.length > best.path.length) best = found;
  }
  return best;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

function codeOf({ code, issue }: Located): string {
  if (code === 'invalid_type') return 'invalid_type';
  if (code === 'too_small' || code === 'too_big') return 'invalid_range';
  if (code === 'invalid_union' && !('discriminator' in issue)) return 'invalid_type';
  return 'invalid_value';
}

function explain({ issue }: Located, found: unknown, shown: (value: unknown) => string): string {
  if (issue.code === 'invalid_union') {
    const options = 'options' in issue && Array.isArray(issue.options) ? issue.options : null;
    if (options) return `expected ${options.map((option) => JSON.stringify(option)).join(' or ')}, got ${shown(found)}`;
    const expected = issue.errors.flatMap(([first]) => {
      if (first?.code === 'invalid_type') return [first.expected];
      return first?.code === 'invalid_value' ? first.values.map((value) => JSON.stringify(value)) : [];
    });
    if (expected.length > 0) return `expected ${[...new Set(expected)].join(' or ')}, got ${shown(found)}`;
    return `no accepted form matches ${shown(found)}`;
  }
  if (issue.code === 'invalid_type') return `expected ${issue.expected}, got ${kind(found)}`;
  const said = issue.message.replace(/^Invalid (input|option): /, '');
  return `${said.charAt(0).toLowerCase()}${said.slice(1)}, got ${shown(found)}`;
}

function kind(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

/** Short scalars only: request content does not belong into error messages. */
function brief(value: unknown): string {
  if (typeof value === 'string')
    return value.length <= 40 ? JSON.stringify(value) : `a string of ${value.length} characters`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return kind(value);
}
