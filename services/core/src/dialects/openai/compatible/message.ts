import { ThinkTags } from '../../translation/index.ts';
import { isFilled, type Message } from '../shapes.ts';

/** Parts of content as Mistral sends them. */
interface ContentPart {
  readonly type?: unknown;
  readonly text?: unknown;
  readonly thinking?: unknown;
}

/**
 * Puts the messages or deltas of one choice right, in place, piece by piece: all thinking into `reasoning` and
 * `reasoning_details`, however the provider says it, and all text into a `content` string (WIRE 2.8, 2.19).
 */
export class MessageRepair {
  readonly #tags: ThinkTags | null;
  #said = '';
  #thought = '';

  /** `mayPrint`: the model may print its thinking into its text. */
  constructor(mayPrint: boolean) {
    const text = (piece: string): void => {
      this.#said += piece;
    };
    const reasoning = (piece: string): void => {
      this.#thought += piece;
    };
    this.#tags = mayPrint ? new ThinkTags({ text, reasoning }) : null;
  }

  /** True when something had to be put right. `isLast`: nothing of this choice follows. */
  putRight(message: Message, isLast: boolean): boolean {
    let changed = takeReasoningContent(message);
    if (Array.isArray(message.content)) {
      takeParts(message, message.content);
      changed = true;
    }
    if (this.#tags && !this.#tags.passesAll) changed = this.#untag(message, this.#tags, isLast) || changed;
    return detailReasoning(message) || changed;
  }

  #untag(message: Message, tags: ThinkTags, isLast: boolean): boolean {
    const { content } = message;
    this.#said = '';
    this.#thought = '';
    if (typeof content === 'string') tags.push(content);
    if (isLast) tags.end();
    if (this.#thought !== '') {
      message.reasoning = `${typeof message.reasoning === 'string' ? message.reasoning : ''}${this.#thought}`;
    }
    if (this.#said === (content ?? '')) return this.#thought !== '';
    message.content = this.#said;
    return true;
  }
}

/** DeepSeek's name for it, which many have taken over. */
function takeReasoningContent(message: Message): boolean {
  const { reasoning_content: thought } = message;
  if (typeof thought !== 'string' || thought === '') return false;
  if (!isFilled(message.reasoning)) message.reasoning = thought;
  delete message.reasoning_content;
  return true;
}

function takeParts(message: Message, parts: readonly unknown[]): void {
  let said = '';
  let thought = '';
  for (const part of parts as readonly (ContentPart | string | null)[]) {
    if (typeof part === 'string') said += part;
    else if (part?.type === 'thinking') thought += textOf(part.thinking);
    else if (typeof part?.text === 'string') said += part.text;
  }
  message.content = said;
  if (thought === '') return;
  message.reasoning = `${typeof message.reasoning === 'string' ? message.reasoning : ''}${thought}`;
}

/** Text, or a list of text parts. */
function textOf(thinking: unknown): string {
  if (typeof thinking === 'string') return thinking;
  if (!Array.isArray(thinking)) return '';
  return thinking
    .map((part: ContentPart | string | null) => (typeof part === 'string' ? part : part?.text))
    .filter((text) => typeof text === 'string')
    .join('');
}

/** Text of its own is said again as a detail, the form in which clients send reasoning back. */
function detailReasoning(message: Message): boolean {
  const { reasoning } = message;
  if (typeof reasoning !== 'string' || reasoning === '' || isFilled(message.reasoning_details)) return false;
  message.reasoning_details = [{ type: 'reasoning.text', text: reasoning, format: 'unknown', index: 0 }];
  return true;
}
