import type { ChatCompletion, ChatCompletionChunk } from 'openai/resources/chat/completions';
import type { Frame } from '../../http/eventStream.ts';

/** What Azure's content filter adds to OpenAI's answers (reference: "Content filtering annotations"). */

const safe = { filtered: false, severity: 'safe' };
const clean = { hate: safe, self_harm: safe, sexual: safe, violence: safe };
const blocked = { ...clean, violence: { filtered: true, severity: 'high' } };
const undetected = { filtered: false, detected: false };

const promptResults = [{ prompt_index: 0, content_filter_results: { ...clean, jailbreak: undetected } }];

/** The results for a prompt that is refused. */
export const filteredPrompt = { ...blocked, jailbreak: undetected };

export function annotatedCompletion(value: ChatCompletion): object {
  return {
    ...value,
    choices: value.choices.map((choice) => ({
      ...choice,
      content_filter_results: choice.finish_reason === 'content_filter' ? blocked : choice.message.content ? clean : {},
    })),
    prompt_filter_results: promptResults,
  };
}

/** First comes a chunk without choices that has the prompt's results, then each piece of content with its own. */
export function* annotatedFrames(frames: Iterable<Frame>): Generator<Frame> {
  const first = { choices: [], created: 0, id: '', model: '', object: '', prompt_filter_results: promptResults };
  yield { place: 'opening', text: `data: ${JSON.stringify(first)}\n\n` };
  for (const frame of frames) yield { ...frame, text: annotatedEvent(frame.text) };
}

function annotatedEvent(event: Frame['text']): Frame['text'] {
  if (typeof event !== 'string' || !event.startsWith('data: {')) return event;
  const chunk: ChatCompletionChunk = JSON.parse(event.slice('data: '.length));
  const choices = chunk.choices.map((choice) => ({
    ...choice,
    content_filter_results: choice.finish_reason === 'content_filter' ? blocked : choice.delta.content ? clean : {},
  }));
  return `data: ${JSON.stringify({ ...chunk, choices })}\n\n`;
}
