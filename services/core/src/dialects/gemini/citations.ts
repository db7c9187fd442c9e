import type { CitationMetadata, GroundingMetadata } from '@google/genai';
import type { AnswerSink } from '../translation/index.ts';

/** `citationSources` is what Google AI Studio calls Vertex's `citations`. */
export type Citations = CitationMetadata & { readonly citationSources?: CitationMetadata['citations'] };

interface Span {
  readonly url: string;
  readonly title: string;
  /** In bytes of the text. */
  readonly start: number;
  readonly end: number;
}

/** What an answer was grounded on or quotes, as OpenAI's `url_citation` annotations; each once. */
export class CitationTeller {
  readonly #told = new Set<string>();

  tell(
    choice: number,
    text: string,
    grounding: GroundingMetadata | undefined,
    citations: Citations | undefined,
    sink: AnswerSink,
  ): void {
    const spans = [...groundingSpans(grounding), ...citationSpans(citations)];
    if (spans.length === 0) return;
    const bytes = Buffer.from(text);
    for (const { url, title, start, end } of spans) {
      const annotation = {
        type: 'url_citation',
        url_citation: { url, title, start_index: characters(bytes, start), end_index: characters(bytes, end) },
      };
      const key = JSON.stringify(annotation);
      if (this.#told.has(key)) continue;
      this.#told.add(key);
      sink.annotation(choice, annotation);
    }
  }
}

function groundingSpans(grounding: GroundingMetadata | undefined): Span[] {
  const sources = (grounding?.groundingChunks ?? []).map((chunk) => chunk.web ?? chunk.retrievedContext ?? chunk.maps);
  const used = new Set<number>();
  const spans = (grounding?.groundingSupports ?? []).flatMap(({ segment, groundingChunkIndices }) =>
    (groundingChunkIndices ?? []).flatMap((i): Span[] => {
      used.add(i);
      const source = sources[i];
      if (!source?.uri) return [];
      const span = { start: segment?.startIndex ?? 0, end: segment?.endIndex ?? 0 };
      return [{ url: source.uri, title: source.title ?? '', ...span }];
    }),
  );
  // Sources of the whole, that no passage names.
  sources.forEach((source, i) => {
    if (source?.uri && !used.has(i)) spans.push({ url: source.uri, title: source.title ?? '', start: 0, end: 0 });
  });
  return spans;
}

function citationSpans(metadata: Citations | undefined): Span[] {
  return [...(metadata?.citations ?? []), ...(metadata?.citationSources ?? [])].flatMap((citation): Span[] => {
    if (!citation.uri) return [];
    const span = { start: citation.startIndex ?? 0, end: citation.endIndex ?? 0 };
    return [{ url: citation.uri, title: citation.title ?? '', ...span }];
  });
}

/** Google counts bytes, OpenAI characters. */
function characters(bytes: Buffer, offset: number): number {
  let count = 0;
  for (const _ of bytes.toString('utf8', 0, Math.min(offset, bytes.length))) count++;
  return count;
}
