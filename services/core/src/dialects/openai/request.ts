import { type ChatRequest, fullMember, readReasoning } from '../../chat/index.ts';
import { arrayElements, type Edit, findMember, removeMembers } from '../../json/index.ts';
import type { EncodedRequest, FetchedMedia, Target } from '../dialect.ts';
import { adaptFields, type FieldChanges, passOptions, schemaInstruction } from './compatible/fields.ts';
import { HistoryRules } from './compatible/history.ts';
import { type Preset, presetOf } from './compatible/presets.ts';
import { messageEdits, toolEdits } from './messages.ts';

/** Top-level fields that are the gateway's own: OpenAI refuses requests with fields that it does not know. */
const GATEWAY_FIELDS = new Set(['providerOptions', 'models', 'provider', 'reasoning']);
/** What the gateway has checked or relies on: `providerOptions.<provider>` may not put something else in its place. */
const RESERVED = new Set([
  'model',
  'messages',
  'n',
  'stream',
  'stream_options',
  'models',
  'provider',
  'providerOptions',
]);

/**
 * The client's own bytes with as few edits as possible: the provider's model id, the gateway's fields taken out, usage
 * always asked of a stream, and `providerOptions.<provider>` merged in.
 */
export function encodeOpenAiChat(request: ChatRequest, target: Target, media: FetchedMedia): EncodedRequest {
  const warnings: string[] = [];
  const preset = presetOf(target);
  const instruction = schemaInstruction(request, preset);
  const { set, drop } = fieldChanges(request, target, preset, warnings);
  const edits = removeMembers(request.members, ({ key }) => drop.has(key));
  const inserts: string[] = [];
  for (const [key, value] of set) {
    const member = findMember(request.members, key);
    if (member) edits.push({ start: member.valueStart, end: member.end, text: value });
    else inserts.push(`${JSON.stringify(key)}:${value},`);
  }
  const rules = new HistoryRules(preset, media);
  edits.push(...messageEdits(request, rules, warnings), ...toolEdits(request, rules, warnings));
  if (instruction !== null) edits.push(...firstMessage(request, instruction));
  return {
    url: `${target.baseUrl}/chat/completions`,
    headers: headers(target, request.stream),
    body: request.body.rewrite(withInserts(request, edits, inserts)),
    warnings,
  };
}

/** A system message before all others. */
function firstMessage({ members, body }: ChatRequest, content: string): Edit[] {
  const messages = findMember(members, 'messages');
  const [first] = messages ? arrayElements(body.original(), messages.valueStart) : [];
  if (!first) return [];
  return [{ start: first.start, end: first.start, text: `${JSON.stringify({ role: 'system', content })},` }];
}

function fieldChanges(request: ChatRequest, target: Target, preset: Preset, warnings: string[]): FieldChanges {
  const { outline } = request;
  const set = new Map([['model', JSON.stringify(target.model)]]);
  const drop = new Set(GATEWAY_FIELDS);
  if (request.stream) {
    // Asked for by the gateway alone, where the client wants a whole answer.
    if (outline.stream !== true) set.set('stream', 'true');
    set.set('stream_options', JSON.stringify({ ...outline.stream_options, include_usage: true }));
  }
  const effort = preset.reasoning === 'reasoning_effort' ? reasoningEffort(request, warnings) : undefined;
  if (effort !== undefined) set.set('reasoning_effort', JSON.stringify(effort));
  if (outline.response_format?.type === 'json') set.set('response_format', legacyJsonFormat(request));
  adaptFields(request, preset, { set, drop }, warnings);
  passOptions(request, preset, { set, drop }, warnings);
  const tierIsSet = outline.providerOptions?.gateway?.serviceTier !== undefined && set.has('service_tier');
  for (const [key, value] of ownOptions(request, target.provider, warnings)) {
    if (key === 'service_tier' && tierIsSet) {
      warnings.push(
        `providerOptions.${target.provider}.${key}: overridden by providerOptions.gateway.serviceTier, dropped`,
      );
      continue;
    }
    set.set(key, JSON.stringify(value));
    drop.delete(key);
    // It replaces all that stands at the top level on reasoning (WIRE 2.8).
    if (key === 'reasoning') {
      set.delete('reasoning_effort');
      drop.add('reasoning_effort');
    }
  }
  return { set, drop };
}

/** The usable entries of `providerOptions.<provider>`. */
function ownOptions(request: ChatRequest, provider: string, warnings: string[]): [string, unknown][] {
  if (request.outline.providerOptions?.[provider] === undefined) return [];
  const options = fullMember(request, 'providerOptions') as Record<string, unknown>;
  const own = options[provider];
  if (!isRecord(own)) {
    warnings.push(`providerOptions.${provider}: expected an object, dropped`);
    return [];
  }
  const entries = Object.entries(own);
  for (const [key] of entries) {
    if (RESERVED.has(key)) warnings.push(`providerOptions.${provider}.${key}: may not be set here, dropped`);
  }
  return entries.filter(([key]) => !RESERVED.has(key));
}

/** The nested `reasoning` wins over its alias `reasoning_effort` (WIRE 2.8), and has wishes that OpenAI does not know. */
function reasoningEffort({ outline }: ChatRequest, warnings: string[]): string | undefined {
  const nested = outline.reasoning;
  const wish = isRecord(nested) ? readReasoning(outline) : null;
  if (!isRecord(nested) || wish === null) return undefined;
  const notTaken = (key: string): void => {
    warnings.push(`reasoning.${key}: not taken by this provider, dropped`);
  };
  if (wish.exclude) notTaken('exclude');
  if (!wish.enabled) return 'none';
  if (wish.maxTokens !== null) notTaken('max_tokens');
  else if (wish.effort === null && nested.enabled === true) notTaken('enabled');
  return wish.effort ?? undefined;
}

/** The legacy `{type: 'json', schema?, name?}` (WIRE 2.2). */
function legacyJsonFormat(request: ChatRequest): string {
  const { type: _, name, schema, ...rest } = fullMember(request, 'response_format') as Record<string, unknown>;
  if (!isRecord(schema)) return '{"type":"json_object"}';
  const json_schema = { name: typeof name === 'string' ? name : 'response', ...rest, schema };
  return JSON.stringify({ type: 'json_schema', json_schema });
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

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
