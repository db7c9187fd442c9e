import type { Citation, ContentBlock, ContentBlockDelta, ContentBlockStart } from '@aws-sdk/client-bedrock-runtime';
import { ANSWER_TOOL } from '../anthropic/structured-output.ts';
import { type AnswerSink, ThinkTags } from '../translation/index.ts';
import { familyOf } from './models.ts';
import { formatOf } from './reasoning.ts';

type Call = { readonly index: number } | 'answer' | 'ignored';

/** What a stream has said of a block that is not finished yet. */
interface OpenBlock {
  call?: Call;
  /** Index among the reasoning details. */
  detail?: number;
  /** Pieces of bytes, told when all are there. */
  readonly bytes: Buffer[];
  imageFormat?: string;
}

/**
 * Tells content blocks to a sink, in the order in which they open. A whole message opens, fills and closes each block; a
 * stream does the same in pieces. None of the blocks' fields may be relied on before it has been looked at.
 */
export class Blocks {
  readonly #sink: AnswerSink;
  readonly #format: string;
  /** Some models print their thinking; Claude never does. */
  readonly #tags: ThinkTags | null;
  readonly #open = new Map<number, OpenBlock>();
  #details = 0;
  #printed: number | null = null;

  constructor(sink: AnswerSink, model: string) {
    this.#sink = sink;
    this.#format = formatOf(model);
    const reasoning = (text: string): void => {
      this.#printed ??= this.#details++;
      this.#reason(this.#printed, text);
    };
    const text = (said: string): void => sink.text(0, said);
    this.#tags = familyOf(model) === 'claude' ? null : new ThinkTags({ text, reasoning });
  }

  whole(index: number, block: ContentBlock): void {
    const { toolUse, image, reasoningContent, citationsContent } = block;
    if (toolUse) {
      this.start(index, { toolUse: { toolUseId: toolUse.toolUseId, name: toolUse.name, type: toolUse.type } });
      if (hasMembers(toolUse.input)) this.delta(index, { toolUse: { input: JSON.stringify(toolUse.input) } });
    } else if (image?.source) {
      this.start(index, { image: { format: image.format } });
      this.delta(index, { image: { source: image.source } });
    } else if (reasoningContent) {
      const { reasoningText, redactedContent } = reasoningContent;
      if (reasoningText?.text) this.delta(index, { reasoningContent: { text: reasoningText.text } });
      if (reasoningText?.signature) this.delta(index, { reasoningContent: { signature: reasoningText.signature } });
      if (redactedContent) this.delta(index, { reasoningContent: { redactedContent } });
    } else if (citationsContent) {
      for (const citation of citationsContent.citations ?? []) this.#sink.annotation(0, annotation(citation));
      for (const { text } of citationsContent.content ?? []) this.#text(text ?? '');
    } else this.#text(block.text ?? '');
    this.stop(index);
  }

  start(index: number, start: ContentBlockStart | undefined): void {
    const block = this.#at(index);
    if (start?.image?.format) block.imageFormat = start.image.format;
    const { toolUse } = start ?? {};
    if (!toolUse) return;
    // A tool that the service runs itself is no call of the client's.
    if (toolUse.type === 'server_tool_use') block.call = 'ignored';
    else if (toolUse.name === ANSWER_TOOL) block.call = 'answer';
    else block.call = { index: this.#sink.toolCall(0, toolUse.toolUseId ?? null, toolUse.name ?? '') };
  }

  delta(index: number, delta: ContentBlockDelta): void {
    const { text, toolUse, reasoningContent, citation, image } = delta;
    if (typeof text === 'string') this.#text(text);
    if (toolUse?.input) this.#input(this.#at(index).call, toolUse.input);
    if (citation) this.#sink.annotation(0, annotation({ ...citation, sourceContent: citation.sourceContent as never }));
    if (image?.source?.bytes) this.#at(index).bytes.push(bytesOf(image.source.bytes));
    if (!reasoningContent) return;
    const block = this.#at(index);
    if (reasoningContent.text) this.#reason(this.#detailOf(block), reasoningContent.text);
    if (reasoningContent.signature) {
      const { signature } = reasoningContent;
      const base = { type: 'reasoning.text', format: this.#format, index: this.#detailOf(block) };
      this.#sink.reasoningDetail(0, { ...base, signature });
    }
    if (reasoningContent.redactedContent) block.bytes.push(bytesOf(reasoningContent.redactedContent));
  }

  stop(index: number): void {
    const block = this.#open.get(index);
    this.#open.delete(index);
    if (!block || block.bytes.length === 0) return;
    const data = Buffer.concat(block.bytes).toString('base64');
    if (block.imageFormat) this.#sink.image(0, `data:image/${block.imageFormat};base64,${data}`);
    else {
      const detail = this.#detailOf(block);
      this.#sink.reasoningDetail(0, { type: 'reasoning.encrypted', data, format: this.#format, index: detail });
    }
  }

  /** The message is at its end, also where blocks were left open. */
  end(): void {
    for (const index of [...this.#open.keys()]) this.stop(index);
    this.#tags?.end();
  }

  #at(index: number): OpenBlock {
    let block = this.#open.get(index);
    if (!block) {
      block = { bytes: [] };
      this.#open.set(index, block);
    }
    return block;
  }

  #detailOf(block: OpenBlock): number {
    block.detail ??= this.#details++;
    return block.detail;
  }

  #text(text: string): void {
    if (this.#tags) this.#tags.push(text);
    else if (text !== '') this.#sink.text(0, text);
  }

  #reason(index: number, text: string): void {
    this.#sink.reasoning(0, text);
    this.#sink.reasoningDetail(0, { type: 'reasoning.text', format: this.#format, index, text });
  }

  #input(call: Call | undefined, json: string): void {
    if (call === 'answer') this.#sink.text(0, json);
    else if (call !== undefined && call !== 'ignored') this.#sink.toolArguments(0, call.index, json);
  }
}

/** Bytes are base64 in JSON. */
const bytesOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes as unknown as string, 'base64');

const hasMembers = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length > 0;

/** The web has a form in OpenAI's answers, places in documents have none. */
function annotation(citation: Citation): Record<string, unknown> {
  const url = citation.location?.web?.url ?? webSource(citation.source);
  if (url === undefined) return { type: 'citation', citation };
  return {
    type: 'url_citation',
    url_citation: { url, title: citation.title ?? '', start_index: 0, end_index: 0 },
  };
}

const webSource = (source: string | undefined): string | undefined =>
  source !== undefined && /^https?:\/\//i.test(source) ? source : undefined;
