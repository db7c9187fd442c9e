import { type ChatRequest, fullMember, type ReasoningWish, readReasoning } from '../../../chat/index.ts';
import { lacksReasoning } from './history.ts';
import type { Preset } from './presets.ts';

export interface FieldChanges {
  /** Values as JSON text, by top-level key. */
  readonly set: Map<string, string>;
  /** Keys to take out; none of them is set. */
  readonly drop: Set<string>;
}

/** Changes top-level fields to what the provider knows; what it refuses is dropped, with a warning. */
export function adaptFields(request: ChatRequest, preset: Preset, changes: FieldChanges, warnings: string[]): void {
  if (!preset.jsonSchema && isSchema(request)) {
    changes.set.set('response_format', '{"type":"json_object"}');
    warnings.push('response_format: the provider cannot hold the model to a schema, the model is told of it');
  }
  const { outline } = request;
  const { set, drop } = changes;
  const remove = (key: string): void => {
    set.delete(key);
    drop.add(key);
  };
  const dropped = (key: string): void => {
    if (outline[key] === undefined) return;
    if (outline[key] !== null) warnings.push(`${key}: not taken by this provider, dropped`);
    remove(key);
  };
  adaptLimit(request, preset, set, remove);
  if (!preset.streamOptions) {
    remove('stream_options');
    if (outline.stream_options?.include_obfuscation === true)
      warnings.push('stream_options.include_obfuscation: not taken by this provider, dropped');
  }
  for (const key of preset.refuses) dropped(key);
  for (const [key, name] of Object.entries(preset.renamed)) {
    if (outline[key] === undefined || outline[key] === null) continue;
    set.set(name, JSON.stringify(fullMember(request, key)));
    remove(key);
  }
  const { temperature } = outline;
  if (typeof temperature === 'number' && temperature > preset.mostTemperature) {
    warnings.push(`temperature: ${temperature} lowered to ${preset.mostTemperature}, the provider's maximum`);
    set.set('temperature', String(preset.mostTemperature));
  }
  adaptReasoning(request, preset, changes, warnings);
}

/** Options of the gateway that only the provider can act on: they stand in place of the client's own fields. */
export function passOptions(
  { outline }: ChatRequest,
  preset: Preset,
  { set, drop }: FieldChanges,
  warnings: string[],
): void {
  const { serviceTier, safetyIdentifier } = outline.providerOptions?.gateway ?? {};
  const pass = (option: string, field: string, value: string | undefined, isTaken: boolean): void => {
    if (value === undefined) return;
    if (isTaken) {
      set.set(field, JSON.stringify(value));
      drop.delete(field);
    } else warnings.push(`providerOptions.gateway.${option}: not taken by this provider, dropped`);
  };
  pass('serviceTier', 'service_tier', serviceTier, serviceTier !== undefined && preset.tiers.includes(serviceTier));
  pass('safetyIdentifier', 'safety_identifier', safetyIdentifier, !preset.refuses.includes('safety_identifier'));
}

function adaptLimit(
  { outline }: ChatRequest,
  { limit }: Preset,
  set: FieldChanges['set'],
  remove: (key: string) => void,
): void {
  if (limit === 'any') return;
  const value = outline.max_completion_tokens ?? outline.max_tokens ?? null;
  const other = limit === 'max_tokens' ? 'max_completion_tokens' : 'max_tokens';
  if (outline[other] === undefined) return;
  remove(other);
  if (value !== null) set.set(limit, String(value));
}

function adaptReasoning(
  { outline }: ChatRequest,
  preset: Preset,
  { set, drop }: FieldChanges,
  warnings: string[],
): void {
  if (preset.reasoning === 'reasoning_effort') return;
  const wish = readReasoning(outline);
  if (preset.reasonsUnasked && wish?.enabled !== false && lacksReasoning(outline.messages)) {
    set.set('thinking', '{"type":"disabled"}');
    set.delete('reasoning_effort');
    drop.add('reasoning_effort');
    if (wish !== null) {
      warnings.push('reasoning: switched off for this request: a tool call in messages came without its reasoning');
    }
    return;
  }
  if (wish === null) return;
  set.delete('reasoning_effort');
  if (preset.reasoning === 'reasoning') {
    // OpenRouter's own field, and the older name where it stands alone.
    if (typeof outline.reasoning !== 'object' || outline.reasoning === null) return;
    drop.delete('reasoning');
    drop.add('reasoning_effort');
    return;
  }
  drop.add('reasoning_effort');
  if (preset.reasoning === 'thinking') flipSwitch(wish, preset, { set, drop }, warnings);
  else if (wish.enabled) warnings.push('reasoning: not taken by this provider, dropped');
}

function flipSwitch(wish: ReasoningWish, { efforts }: Preset, { set, drop }: FieldChanges, warnings: string[]): void {
  set.set('thinking', JSON.stringify({ type: wish.enabled ? 'enabled' : 'disabled' }));
  if (wish.exclude) warnings.push('reasoning.exclude: not taken by this provider, dropped');
  if (!wish.enabled) return;
  const effort = wish.effort === 'xhigh' ? 'max' : wish.effort;
  if (effort !== null && efforts.includes(effort)) {
    drop.delete('reasoning_effort');
    set.set('reasoning_effort', JSON.stringify(effort));
  } else if (effort !== null || wish.maxTokens !== null) {
    warnings.push('reasoning: the provider takes no such measure of it, switched on');
  }
}

const isSchema = ({ outline }: ChatRequest): boolean =>
  outline.response_format?.type === 'json_schema' || outline.response_format?.type === 'json';

/** What the model is told where it cannot be held to a schema; null where it can, or need not be. */
export function schemaInstruction(request: ChatRequest, preset: Preset): string | null {
  if (preset.jsonSchema || !isSchema(request)) return null;
  const { json_schema: named, schema: bare } = fullMember(request, 'response_format') as {
    json_schema?: { schema?: unknown };
    schema?: unknown;
  };
  const schema = named?.schema ?? bare;
  const matching = schema === undefined ? '' : ` It must match this JSON Schema: ${JSON.stringify(schema)}`;
  return `Answer with one JSON object and nothing else.${matching}`;
}
