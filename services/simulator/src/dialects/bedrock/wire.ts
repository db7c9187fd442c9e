import type { ConverseRequest, Message, ToolUseBlock } from '@aws-sdk/client-bedrock-runtime';

/** Any JSON. */
type Document = NonNullable<ToolUseBlock['input']>;

/** A type of the SDK as its JSON is: bytes are base64 text. */
export type Wire<T> = [Document] extends [T]
  ? unknown
  : T extends Uint8Array
    ? string
    : T extends object
      ? { [K in keyof T]: Wire<T[K]> }
      : T;

type Body = Omit<ConverseRequest, 'modelId' | 'messages' | 'additionalModelRequestFields'>;

/** A body that has passed the checks. */
export interface ConverseBody extends Wire<Body> {
  readonly messages: readonly WireMessage[];
  readonly additionalModelRequestFields?: Readonly<Record<string, unknown>> | null;
}

/** Both members are required, though the SDK lets them be undefined. */
export type WireMessage = { readonly [K in keyof Message]-?: NonNullable<Wire<Message[K]>> };
export type WireBlock = WireMessage['content'][number];
export type WireToolUse = NonNullable<WireBlock['toolUse']>;
export type WireToolResult = NonNullable<WireBlock['toolResult']>;
export type WireDocument = NonNullable<WireBlock['document']>;
export type WireImage = NonNullable<WireBlock['image']>;
