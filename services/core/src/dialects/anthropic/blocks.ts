import type { AnswerSink } from '../translation/index.ts';
import { ANSWER_TOOL } from './structured-output.ts';
import { REASONING_FORMAT } from './thinking.ts';

/** Fields of content blocks and deltas, none of which may be relied on before it has been looked at. */
export interface Block {
  readonly type?: string;
  readonly text?: string;
  readonly thinking?: string;
  readonly signature?: string;
  readonly data?: string;
  readonly id?: string;
  readonly name?: string;
  readonly input?: unknown;
  readonly partial_json?: string;
  readonly citation?: Citation;
  readonly citations?: readonly Citation[] | null;
}

interface Citation {
  readonly type?: string;
  readonly url?: string;
  readonly title?: string | null;
  readonly [key: string]: unknown;
}

type OpenBlock =
  | { readonly kind: 'text' }
  | { readonly kind: 'thinking'; readonly index: number }
  | { readonly kind: 'tool'; readonly call: number; given: string }
  | { readonly kind: 'answer'; given: string }
  | { readonly kind: 'ignored' };

/**
 * Tells content blocks to a sink, in the order in which they open. A whole message opens, fills and closes each block;
 * a stream does the same in pieces.
 */
export class Blocks {
  readonly #sink: AnswerSink;
  readonly #open = new Map<number, OpenBlock>();
  #details = 0;

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  start(index: number, block: Block): void {
    this.#open.set(index, this.#begin(block));
    if (block.text) this.delta(index, { type: 'text_delta', text: block.text });
    if (block.thinking) this.delta(index, { type: 'thinking_delta', thinking: block.thinking });
    if (block.signature) this.delta(index, { type: 'signature_delta', signature: block.signature });
    for (const citation of block.citations ?? []) this.delta(index, { type: 'citations_delta', citation });
    // A stream opens with {} and sends the input in pieces; a whole message has it here.
    if (hasMembers(block.input))
      this.delta(index, { type: 'input_json_delta', partial_json: JSON.stringify(block.input) });
  }

  #begin(block: Block): OpenBlock {
    switch (block.type) {
      case 'text':
        return { kind: 'text' };
      case 'thinking':
        return { kind: 'thinking', index: this.#details++ };
      case 'redacted_thinking':
        this.#sink.reasoningDetail(0, {
          type: 'reasoning.encrypted',
          data: block.data ?? '',
          format: REASONING_FORMAT,
          index: this.#details++,
        });
        return { kind: 'ignored' };
      case 'tool_use':
        if (block.name === ANSWER_TOOL) return { kind: 'answer', given: '' };
        return { kind: 'tool', call: this.#sink.toolCall(0, block.id ?? null, block.name ?? ''), given: '' };
      default:
        // Server tools and what is yet to come: nothing of them has a place in an OpenAI answer.
        return { kind: 'ignored' };
    }
  }

  delta(index: number, delta: Block): void {
    const open = this.#open.get(index);
    if (!open) return;
    if (delta.type === 'text_delta' && open.kind === 'text') this.#sink.text(0, delta.text ?? '');
    else if (delta.type === 'input_json_delta') this.#input(open, delta.partial_json ?? '');
    else if (delta.type === 'citations_delta' && delta.citation) this.#sink.annotation(0, annotation(delta.citation));
    else if (open.kind === 'thinking') this.#thinking(open.index, delta);
  }

  #input(open: OpenBlock, json: string): void {
    if (open.kind === 'tool') this.#sink.toolArguments(0, open.call, json);
    else if (open.kind === 'answer') this.#sink.text(0, json);
  }

  #thinking(index: number, delta: Block): void {
    const base = { type: 'reasoning.text', format: REASONING_FORMAT, index };
    if (delta.type === 'thinking_delta' && delta.thinking) {
      this.#sink.reasoning(0, delta.thinking);
      this.#sink.reasoningDetail(0, { ...base, text: delta.thinking });
    } else if (delta.type === 'signature_delta' && delta.signature) {
      this.#sink.reasoningDetail(0, { ...base, signature: delta.signature });
    }
  }
}

const hasMembers = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length > 0;

function annotation(citation: Citation): Record<string, unknown> {
  if (typeof citation.url !== 'string') return { type: 'citation', citation };
  return {
    type: 'url_citation',
    url_citation: { url: citation.url, title: citation.title ?? '', start_index: 0, end_index: 0 },
  };
}
