import type { ChatRequest } from '../../chat/index.ts';
import { type Edit, findMember, removeMembers } from '../../json/index.ts';
import type { EncodedRequest, Target } from '../dialect.ts';
import { messageEdits } from './messages.ts';

/** Top-level fields that are the gateway's own: OpenAI refuses requests with fields that it does not know. */
const GATEWAY_FIELDS = new Set(['providerOptions', 'models', 'provider', 'reasoning']);

/**
 * The client's own bytes with as few edits as possible: the provider's model id, the gateway's fields taken out, usage
 * always asked of a stream, and `providerOptions.<provider>` merged in.
 */
export function encodeOpenAiChat(request: ChatRequest, target: Target): EncodedRequest {
  const warnings: string[] = [];
  const set = fieldsToSet(request, target);
  const edits = removeMembers(request.members, (member) => GATEWAY_FIELDS.has(member.key));
  const inserts: string[] = [];
  for (const [key, value] of set) {
    const member = findMember(request.members, key);
    if (member) edits.push({ start: member.valueStart, end: member.end, text: value });
    else inserts.push(`${JSON.stringify(key)}:${value},`);
  }
  edits.push(...messageEdits(request, warnings));
  return {
    url: `${target.baseUrl}/chat/completions`,
    headers: headers(target, request.stream),
    body: request.body.rewrite(withInserts(request, edits, inserts)),
    warnings,
  };
}

/** Values as JSON text, by top-level key. */
function fieldsToSet(request: ChatRequest, target: Target): Map<string, string> {
  const { outline } = request;
  const set = new Map([['model', JSON.stringify(target.model)]]);
  if (request.stream && outline.stream_options?.include_usage !== true) {
    set.set('stream_options', JSON.stringify({ ...outline.stream_options, include_usage: true }));
  }
  const effort = reasoningEffort(outline.reasoning);
  if (effort !== undefined) set.set('reasoning_effort', JSON.stringify(effort));
  if (outline.response_format?.type === 'json') set.set('response_format', legacyJsonFormat(outline.response_format));
  const own = outline.providerOptions?.[target.provider];
  if (typeof own === 'object' && own !== null) {
    for (const [key, value] of Object.entries(own)) {
      if (key !== 'model' && key !== 'stream' && value !== undefined) set.set(key, JSON.stringify(value));
    }
  }
  return set;
}

/** `reasoning.effort` wins over its alias `reasoning_effort` (WIRE 2.8). */
function reasoningEffort(reasoning: unknown): string | undefined {
  if (typeof reasoning !== 'object' || reasoning === null) return undefined;
  const { effort, enabled } = reasoning as { effort?: unknown; enabled?: unknown };
  if (typeof effort === 'string') return effort;
  return enabled === false ? 'none' : undefined;
}

/** The legacy `{type: 'json', schema?, name?}` (WIRE 2.2). */
function legacyJsonFormat(format: Record<string, unknown>): string {
  if (typeof format.schema !== 'object') return '{"type":"json_object"}';
  const name = typeof format.name === 'string' ? format.name : 'response';
  return JSON.stringify({ type: 'json_schema', json_schema: { name, schema: format.schema } });
}

function withInserts(request: ChatRequest, edits: Edit[], inserts: readonly string[]): Edit[] {
  const [first] = request.members;
  if (inserts.length === 0 || !first) return edits;
  return [{ start: first.start, end: first.start, text: inserts.join('') }, ...edits];
}

function headers(target: Target, stream: boolean): string[] {
  const list = [
    'content-type',
    'application/json',
    'accept',
    stream ? 'text/event-stream' : 'application/json',
    'accept-encoding',
    'identity',
    'user-agent',
    'headgate',
  ];
  const key = target.credentials.apiKey;
  if (key !== undefined && key !== '' && key !== 'none') list.push('authorization', `Bearer ${key}`);
  return list;
}
