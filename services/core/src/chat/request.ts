import { GatewayError } from '../errors/index.ts';
import { findMember, type Member, objectMembers, SpliceBody, skeleton } from '../json/index.ts';
import { type ChatBody, chatRequestSchema } from './schema.ts';
import { validationError } from './validation-error.ts';

/** Arrays and objects inside one another beyond this are refused: no real request comes near. */
const MAX_DEPTH = 1_000;

/** A validated chat request: its bytes, its top-level members, and its structure. */
export interface ChatRequest {
  /** The bytes, for dialects that pass them through. Offsets of `members` refer to `source`. */
  readonly body: SpliceBody;
  readonly source: Buffer;
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
  const source = store.subarray(start, end);
  const { outline, shortened } = parseOutline(source);
  const members = objectMembers(source);
  if (isAmbiguous(members)) return readRewritten(source);
  return assemble(new SpliceBody(store, start, end), source, members, outline, shortened);
}

/** The whole request body, parsed. For dialects that translate; costs a full parse of large bodies. */
export function fullBody(request: ChatRequest): ChatBody {
  if (!request.shortened) return request.outline;
  return JSON.parse(request.body.original().toString('utf8')) as ChatBody;
}

function parseOutline(source: Buffer): { outline: ChatBody; shortened: boolean } {
  if (source.length === 0) {
    throw new GatewayError('invalid_request_error', 'Invalid request: the body is empty, expected a JSON object.', {
      code: 'empty_body',
    });
  }
  const bones = skeleton(source);
  if (bones === null) throw invalidJson();
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

function invalidJson(cause?: unknown): GatewayError {
  const position = cause instanceof Error ? /at position (\d+)/.exec(cause.message)?.[1] : undefined;
  const where = position === undefined ? '' : ` (at byte ${position})`;
  return new GatewayError('invalid_request_error', `Invalid request: the body is not valid JSON${where}.`, {
    code: 'invalid_json',
  });
}

/**
 * True when another parser could read the object in another way than `JSON.parse` does: a key that occurs twice (it takes
 * the last, a provider may take the first) or is written with escapes. A caller could get past the gateway's checks so.
 */
function isAmbiguous(members: readonly Member[]): boolean {
  for (let i = 0; i < members.length; i++) {
    const member = members[i];
    if (!member || member.escaped) return true;
    for (let j = 0; j < i; j++) if (members[j]?.key === member.key) return true;
  }
  return false;
}

/** What was checked is what is sent: an ambiguous body is written anew from its parsed form. */
function readRewritten(source: Buffer): ChatRequest {
  const rewritten = Buffer.from(JSON.stringify(JSON.parse(source.toString('utf8'))));
  const { outline, shortened } = parseOutline(rewritten);
  const body = new SpliceBody(rewritten, 0, rewritten.length);
  return assemble(body, rewritten, objectMembers(rewritten), outline, shortened);
}

function assemble(
  body: SpliceBody,
  source: Buffer,
  members: readonly Member[],
  outline: ChatBody,
  shortened: boolean,
): ChatRequest {
  if (outline.model.length > 256 || !findMember(members, 'model')) {
    throw new GatewayError('invalid_request_error', "Invalid request: invalid value for 'model'", { param: 'model' });
  }
  const stream = outline.stream === true;
  return {
    body,
    source,
    members,
    outline,
    shortened,
    model: outline.model,
    stream,
    includeUsage: stream && outline.stream_options?.include_usage === true,
    choices: outline.n ?? 1,
  };
}
