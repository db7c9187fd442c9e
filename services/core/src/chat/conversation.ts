import { GatewayError } from '../errors/index.ts';
import type { ChatBody, ChatMessage } from './schema.ts';

/**
 * The messages of a request in one plain form, for dialects that translate: every spelling of WIRE 2.2 read once, here.
 * `path` names where a thing stood in the request, for errors and warnings.
 */
export type Turn = SystemTurn | UserTurn | AssistantTurn | ToolTurn;

export interface SystemTurn {
  readonly role: 'system';
  readonly path: string;
  readonly parts: readonly TextPart[];
}

export interface UserTurn {
  readonly role: 'user';
  readonly path: string;
  readonly name: string | null;
  readonly parts: readonly Part[];
}

export interface AssistantTurn {
  readonly role: 'assistant';
  readonly path: string;
  readonly parts: readonly TextPart[];
  readonly refusal: string | null;
  readonly toolCalls: readonly ToolCallPart[];
  /** `reasoning_details` as an earlier answer gave them, to go back unchanged (WIRE 2.8). */
  readonly reasoning: readonly ReasoningDetail[];
}

export interface ToolTurn {
  readonly role: 'tool';
  readonly path: string;
  readonly callId: string;
  readonly parts: readonly TextPart[];
}

/** Marks the end of a cacheable prefix; `ttl` such as `1h` where one was asked for. */
export interface CacheMark {
  readonly ttl: string | null;
}

interface PartBase {
  readonly path: string;
  readonly cache: CacheMark | null;
}

export interface TextPart extends PartBase {
  readonly type: 'text';
  readonly text: string;
}

export interface ImagePart extends PartBase {
  readonly type: 'image';
  readonly source: MediaSource;
  /** `auto`, `low`, `high`, or what else the client wrote. */
  readonly detail: string | null;
}

export interface FilePart extends PartBase {
  readonly type: 'file';
  readonly source: MediaSource;
  readonly filename: string | null;
}

export interface AudioPart extends PartBase {
  readonly type: 'audio';
  /** Base64. */
  readonly data: string;
  /** `wav`, `mp3`, ... */
  readonly format: string;
}

export type Part = TextPart | ImagePart | FilePart | AudioPart;

export type MediaSource =
  | { readonly kind: 'data'; readonly mediaType: string /** Base64. */; readonly data: string }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'file_id'; readonly id: string };

export interface ToolCallPart {
  readonly path: string;
  readonly id: string;
  readonly name: string;
  /** JSON text as the client sent it. */
  readonly arguments: string;
  /** Gemini's, from `extra_content.google.thought_signature`. */
  readonly thoughtSignature: string | null;
}

export interface ReasoningDetail {
  readonly type: string;
  readonly text?: string;
  readonly signature?: string;
  readonly data?: string;
  readonly summary?: string;
  readonly id?: string;
  readonly format?: string;
  readonly index?: number;
  readonly [key: string]: unknown;
}

/** Throws a GatewayError (400 `unsupported_content`) for content that no reading fits. */
export function readConversation(body: ChatBody): Turn[] {
  return body.messages.map((message, i) => readTurn(message, `messages.${i}`));
}

function readTurn(message: ChatMessage, path: string): Turn {
  switch (message.role) {
    case 'system':
    case 'developer':
      return { role: 'system', path, parts: readTexts(message, path) };
    case 'user':
      return { role: 'user', path, name: stringOrNull(message.name), parts: readParts(message, path) };
    case 'assistant':
      return readAssistant(message, path);
    case 'tool':
      return { role: 'tool', path, callId: message.tool_call_id, parts: readTexts(message, path) };
    case 'function':
      return { role: 'tool', path, callId: message.name, parts: readTexts(message, path) };
    default:
      return message satisfies never;
  }
}

function readAssistant(message: Extract<ChatMessage, { role: 'assistant' }>, path: string): AssistantTurn {
  const { content } = message;
  const refusals = Array.isArray(content)
    ? content.flatMap((part) => (part.type === 'refusal' ? [part.refusal] : []))
    : [];
  const whole = stringOrNull(message.refusal);
  const all = whole === null ? refusals : [whole, ...refusals];
  return {
    role: 'assistant',
    path,
    parts: readTexts(message, path),
    refusal: all.length === 0 ? null : all.join(''),
    toolCalls: readToolCalls(message, path),
    reasoning: Array.isArray(message.reasoning_details) ? message.reasoning_details.filter(isReasoningDetail) : [],
  };
}

function readToolCalls(message: Extract<ChatMessage, { role: 'assistant' }>, path: string): ToolCallPart[] {
  const legacy = message.function_call;
  if (isRecord(legacy) && typeof legacy.name === 'string') {
    const text = typeof legacy.arguments === 'string' ? legacy.arguments : '{}';
    return [
      { path: `${path}.function_call`, id: legacy.name, name: legacy.name, arguments: text, thoughtSignature: null },
    ];
  }
  return (message.tool_calls ?? []).map((call, i) => {
    const at = `${path}.tool_calls.${i}`;
    if (call.type === 'custom') throw unsupported(at, 'a custom tool call');
    const { name, arguments: text } = call.function;
    return { path: at, id: call.id, name, arguments: text, thoughtSignature: thoughtSignature(call) };
  });
}

function thoughtSignature(call: Record<string, unknown>): string | null {
  const extra = call.extra_content;
  const google = isRecord(extra) ? extra.google : undefined;
  return isRecord(google) ? stringOrNull(google.thought_signature) : null;
}

function readTexts(message: ChatMessage, path: string): TextPart[] {
  return readParts(message, path).filter((part) => part.type === 'text');
}

function readParts(message: ChatMessage, path: string): Part[] {
  const { content } = message;
  const mark = cacheMark(message);
  if (content === null || content === undefined) return [];
  if (typeof content === 'string') return [{ type: 'text', path: `${path}.content`, text: content, cache: mark }];
  const parts: Part[] = [];
  content.forEach((part, i) => {
    // A mark on the message stands for one on its last part.
    const cache = cacheMark(part) ?? (i === content.length - 1 ? mark : null);
    const base = { path: `${path}.content.${i}`, cache };
    if (part.type === 'text') parts.push({ ...base, type: 'text', text: part.text });
    else if (part.type === 'image_url') {
      const { url, detail } = part.image_url;
      parts.push({ ...base, type: 'image', source: mediaSource(url, 'image/png'), detail: detail ?? null });
    } else if (part.type === 'input_audio') parts.push({ ...base, type: 'audio', ...part.input_audio });
    else if (part.type === 'file') parts.push({ ...base, type: 'file', ...readFile(part.file, base.path) });
  });
  return parts;
}

interface FileFields {
  readonly file_data?: string | undefined;
  readonly file_id?: string | undefined;
  readonly data?: string | undefined;
  readonly media_type?: string | undefined;
  readonly filename?: string | undefined;
}

function readFile(file: FileFields, path: string): Pick<FilePart, 'source' | 'filename'> {
  const filename = file.filename ?? null;
  const data = file.file_data ?? file.data;
  if (data !== undefined) return { source: mediaSource(data, file.media_type ?? typeOfName(filename)), filename };
  if (file.file_id !== undefined) return { source: { kind: 'file_id', id: file.file_id }, filename };
  throw unsupported(path, 'a file without data');
}

function typeOfName(filename: string | null): string {
  return filename?.toLowerCase().endsWith('.txt') ? 'text/plain' : 'application/pdf';
}

/** A data URI (RFC 2397), an http(s) URL, or bare base64 of the given type. */
function mediaSource(text: string, defaultType: string): MediaSource {
  if (/^https?:\/\//i.test(text)) return { kind: 'url', url: text };
  if (!/^data:/i.test(text)) return { kind: 'data', mediaType: defaultType, data: text };
  const comma = text.indexOf(',');
  const head = comma < 0 ? '' : text.slice(5, comma);
  const payload = text.slice(comma + 1);
  const [type = ''] = head.split(';');
  const mediaType = type === '' ? 'text/plain' : type.toLowerCase();
  const isBase64 = /;base64$/i.test(head.trim());
  return {
    kind: 'data',
    mediaType,
    data: isBase64 ? payload : Buffer.from(percentDecoded(payload)).toString('base64'),
  };
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `cache_control` (Anthropic's, on a part or a message) or OpenAI's `prompt_cache_breakpoint` (WIRE 2.2). */
function cacheMark(holder: Record<string, unknown>): CacheMark | null {
  const control = holder.cache_control;
  if (isRecord(control) && control.type === 'ephemeral') return { ttl: stringOrNull(control.ttl) };
  const breakpoint = holder.prompt_cache_breakpoint;
  return isRecord(breakpoint) && breakpoint.mode === 'explicit' ? { ttl: null } : null;
}

const isReasoningDetail = (value: unknown): value is ReasoningDetail =>
  isRecord(value) && typeof value.type === 'string' && value.type.startsWith('reasoning.');

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const stringOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** A 400 for content that a provider cannot take: never dropped silently (DESIGN 5, law 2). */
export function unsupportedContent(part: { readonly path: string }, what: string, provider: string): GatewayError {
  return new GatewayError('invalid_request_error', `The provider ${provider} cannot take ${what} (${part.path}).`, {
    param: part.path,
    code: 'unsupported_content',
    failure: 'bad_request',
  });
}

function unsupported(path: string, what: string): GatewayError {
  return new GatewayError('invalid_request_error', `Only providers that speak OpenAI take ${what} (${path}).`, {
    param: path,
    code: 'unsupported_content',
    failure: 'bad_request',
  });
}
