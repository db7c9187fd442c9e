import { type BodyEnd, type RawHead, RawRequest } from './raw-http.ts';

/** Where a chat request goes, and with which key. */
export interface Target {
  readonly port: number;
  readonly key: string;
}

export interface ChatBody {
  readonly model: string;
  readonly messages?: readonly unknown[];
  readonly stream?: boolean;
  readonly [field: string]: unknown;
}

interface Chunk {
  readonly id?: string;
  readonly model?: string;
  readonly choices?: readonly {
    readonly delta?: {
      readonly role?: string;
      readonly content?: string | null;
      readonly provider_metadata?: { readonly gateway: GatewayMetadata };
    };
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: unknown;
  readonly error?: ErrorObject;
}

export interface ErrorObject {
  readonly message: string;
  readonly type: string;
  readonly param: unknown;
  readonly code: string | null;
}

export interface GatewayMetadata {
  readonly cost?: string;
  readonly routing: {
    readonly finalProvider: string;
    readonly attempts: readonly {
      readonly provider: string;
      readonly success: boolean;
      readonly error?: string;
      readonly statusCode?: number;
      readonly providerTimeout?: boolean;
    }[];
  };
}

/** What came out of a chat request, stream or not. */
export interface ChatResult extends RawHead {
  readonly raw: string;
  readonly end: BodyEnd;
  /** HTTP chunks of the body. */
  readonly chunks: number;
  /** Data frames of a stream, `[DONE]` included. */
  readonly frames: readonly string[];
  readonly comments: readonly string[];
  readonly text: string;
  readonly done: boolean;
  readonly finishReason: string | null;
  readonly models: ReadonlySet<string>;
  readonly errors: readonly ErrorObject[];
  readonly metadata: GatewayMetadata | null;
}

export const question = (text: string): readonly unknown[] => [{ role: 'user', content: text }];

/** Opens a chat request and leaves the rest to the caller. */
export function openChat(
  { port, key }: Target,
  body: ChatBody,
  headers: readonly (readonly [string, string])[] = [],
  onBody?: (piece: Buffer) => void,
): RawRequest {
  return new RawRequest(port, {
    method: 'POST',
    path: '/v1/chat/completions',
    headers: [['authorization', `Bearer ${key}`], ['content-type', 'application/json'], ...headers],
    body: JSON.stringify({ messages: question('Tell me about canals.'), ...body }),
    ...(onBody ? { onBody } : {}),
  });
}

/** Sends a chat request and reads its answer to the end; closes the connection. */
export async function chat(
  target: Target,
  body: ChatBody,
  headers: readonly (readonly [string, string])[] = [],
): Promise<ChatResult> {
  return await readChat(openChat(target, body, headers));
}

export async function readChat(request: RawRequest): Promise<ChatResult> {
  const head = await request.head;
  const end = await request.ended;
  request.leave();
  const raw = request.text;
  const streamed = (head.headers['content-type'] ?? '').startsWith('text/event-stream');
  return { ...head, raw, end, chunks: request.chunks, ...(streamed ? readStream(raw) : readJson(raw)) };
}

type Content = Omit<ChatResult, keyof RawHead | 'raw' | 'end' | 'chunks'>;

/** Strict about framing: `data: ...` or `: ...`, then one empty line, and nothing else. */
function readStream(raw: string): Content {
  const frames: string[] = [];
  const comments: string[] = [];
  const errors: ErrorObject[] = [];
  const models = new Set<string>();
  let text = '';
  let finishReason: string | null = null;
  let metadata: GatewayMetadata | null = null;
  const blocks = raw.split('\n\n');
  if (blocks.pop() !== '') throw new Error(`the stream ends inside an event: ${raw.slice(-200)}`);
  for (const block of blocks) {
    if (block.includes('\n') || block.includes('\r'))
      throw new Error(`not one line an event: ${JSON.stringify(block)}`);
    if (block.startsWith(': ')) comments.push(block);
    else if (block.startsWith('data: ')) frames.push(block.slice(6));
    else throw new Error(`neither data nor comment: ${JSON.stringify(block)}`);
  }
  for (const frame of frames) {
    if (frame === '[DONE]') continue;
    const chunk = JSON.parse(frame) as Chunk;
    if (chunk.error) errors.push(chunk.error);
    if (chunk.model !== undefined) models.add(chunk.model);
    const choice = chunk.choices?.[0];
    text += choice?.delta?.content ?? '';
    finishReason = choice?.finish_reason ?? finishReason;
    metadata = choice?.delta?.provider_metadata?.gateway ?? metadata;
  }
  return { frames, comments, text, done: frames.at(-1) === '[DONE]', finishReason, models, errors, metadata };
}

function readJson(raw: string): Content {
  const none = { frames: [], comments: [], done: false };
  const body = JSON.parse(raw) as {
    model?: string;
    error?: ErrorObject;
    choices?: readonly {
      message?: { content?: string | null; provider_metadata?: { gateway: GatewayMetadata } };
      finish_reason?: string;
    }[];
  };
  const choice = body.choices?.[0];
  return {
    ...none,
    text: choice?.message?.content ?? '',
    finishReason: choice?.finish_reason ?? null,
    models: new Set(body.model === undefined ? [] : [body.model]),
    errors: body.error ? [body.error] : [],
    metadata: choice?.message?.provider_metadata?.gateway ?? null,
  };
}
