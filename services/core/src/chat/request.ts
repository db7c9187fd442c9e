import { isUtf8 } from 'node:buffer';
import { GatewayError } from '../errors/index.ts';
import {
  escapeLineBreaks,
  findMember,
  isAmbiguous,
  MAX_DEPTH,
  type Member,
  objectMembers,
  type Skeleton,
  SpliceBody,
  skeleton,
} from '../json/index.ts';
import { type ChatBody, chatRequestSchema } from './schema.ts';
import { validationError } from './validation-error.ts';

/** A validated chat request: its bytes, its top-level members, and its structure. */
export interface ChatRequest {
  /** The bytes, for dialects that pass them through. Offsets of `members` refer to its `original()`. */
  readonly body: SpliceBody;
  readonly members: readonly Member[];
  /** The validated structure; when `shortened`, long strings lack their middle (`fullBody` has them whole). */
  readonly outline: ChatBody;
  readonly shortened: boolean;
  readonly model: string;
  readonly stream: boolean;
  /** The client asked for a usage chunk at the end of the stream. */
  readonly includeUsage: boolean;
  /** Number of choices asked for. */
  readonly choices: number;
}

/**
 * Validates the bytes of a chat request: `store` holds it at [start, end), with headroom around it.
 * Throws a GatewayError (400) that names the first bad path.
 */
export function readChatRequest(store: Buffer, start: number, end: number): ChatRequest {
  try {
    return read(store, start, end);
  } catch (error) {
    // The seed's shell example pastes the output of `base64`, which GNU's breaks into lines, into its JSON.
    const mended = isInvalidJson(error) ? escapeLineBreaks(store.subarray(start, end)) : null;
    if (mended === null) throw error;
    return read(mended, 0, mended.length);
  }
}

function read(store: Buffer, start: number, end: number): ChatRequest {
  const source = store.subarray(start, end);
  const { outline, shortened } = parseOutline(source);
  const members = objectMembers(source);
  if (isAmbiguous(members)) return readRewritten(source);
  return assemble(new SpliceBody(store, start, end), members, outline, shortened);
}

/**
 * The whole request body, parsed. For dialects that translate; costs a full parse of large bodies.
 * Throws a GatewayError (400) when a long string, of which the outline has only the ends, is not valid JSON.
 */
export function fullBody(request: ChatRequest): ChatBody {
  if (!request.shortened) return request.outline;
  return parse(request.body.original().toString('utf8')) as ChatBody;
}

/** One top-level member, whole also where the outline is shortened; undefined when it is absent. Throws as `fullBody` does. */
export function fullMember(request: ChatRequest, key: keyof ChatBody & string): unknown {
  if (!request.shortened) return request.outline[key];
  const member = findMember(request.members, key);
  return member ? parse(request.body.original().toString('utf8', member.valueStart, member.end)) : undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // No position: it would be one in a part of the body.
    throw invalidJson();
  }
}

function parseOutline(source: Buffer): { outline: ChatBody; shortened: boolean } {
  if (source.length === 0) {
    throw new GatewayError('invalid_request_error', 'Invalid request: the body is empty, expected a JSON object.', {
      code: 'empty_body',
    });
  }
  // Parsers disagree on how broken text reads, and what is checked must be what is sent.
  if (!isUtf8(source)) {
    throw new GatewayError('invalid_request_error', 'Invalid request: the body is not valid UTF-8.', {
      code: 'invalid_json',
    });
  }
  const bones = source.length <= MAX_DEPTH ? plainText(source) : skeleton(source);
  if (bones === null || bones.lineBreaks) throw invalidJson();
  if (bones.depth > MAX_DEPTH) {
    throw new GatewayError('invalid_request_error', `Invalid request: nested deeper than ${MAX_DEPTH} levels.`, {
      code: 'nesting_too_deep',
    });
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(bones.text);
  } catch (error) {
    // Positions in a shortened text would mislead.
    throw invalidJson(bones.shortened ? undefined : error);
  }
  const result = chatRequestSchema.safeParse(parsed);
  if (!result.success) throw validationError(result.error.issues, parsed);
  return { outline: result.data, shortened: bones.shortened };
}

/** A body this short is not too deep, whatever it holds, and has no string to leave out. */
function plainText(source: Buffer): Skeleton {
  return { text: source.toString('utf8'), depth: 0, shortened: false, lineBreaks: false };
}

function invalidJson(cause?: unknown): GatewayError {
  const position = cause instanceof Error ? /at position (\d+)/.exec(cause.message)?.[1] : undefined;
  const where = position === undefined ? '' : ` (at byte ${position})`;
  return new GatewayError('invalid_request_error', `Invalid request: the body is not valid JSON${where}.`, {
    code: 'invalid_json',
  });
}

const isInvalidJson = (error: unknown): boolean => error instanceof GatewayError && error.code === 'invalid_json';

/**
 * What was checked is what is sent: with a key that occurs twice or is written with escapes, a caller could show the
 * gateway another model than the provider, so such a body is written anew from its parsed form.
 */
function readRewritten(source: Buffer): ChatRequest {
  const rewritten = Buffer.from(JSON.stringify(parse(source.toString('utf8'))));
  const { outline, shortened } = parseOutline(rewritten);
  const body = new SpliceBody(rewritten, 0, rewritten.length);
  return assemble(body, objectMembers(rewritten), outline, shortened);
}

function assemble(body: SpliceBody, members: readonly Member[], outline: ChatBody, shortened: boolean): ChatRequest {
  if (outline.model.length > 256 || !findMember(members, 'model')) {
    throw new GatewayError('invalid_request_error', "Invalid request: invalid value for 'model'", {
      param: 'model',
      code: 'invalid_value',
    });
  }
  const stream = outline.stream === true;
  return {
    body,
    members,
    outline,
    shortened,
    model: outline.model,
    stream,
    includeUsage: stream && outline.stream_options?.include_usage === true,
    choices: outline.n ?? 1,
  };
}
