// Asks the gateway through AI SDK 4 and prints what came back, as JSON. ai-sdk.test.ts runs it and looks at the answers.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, streamText, tool } from 'ai';
import { z } from 'zod';

const gateway = createOpenAICompatible({
  name: 'openai',
  apiKey: process.env.AI_GATEWAY_API_KEY,
  baseURL: process.env.GATEWAY_BASE_URL,
});
const model = gateway('anthropic/claude-sonnet-4');

const prompt = 'Tell me of the weir.';
const whole = await generateText({ model, prompt });
const stream = streamText({ model, prompt });
let text = '';
for await (const delta of stream.textStream) text += delta;

const asked = [];
const weather = (log) =>
  tool({
    description: 'Get the current weather in a given location',
    parameters: z.object({ location: z.string() }),
    execute: async ({ location }) => {
      log.push(location);
      return `sunny in ${location}`;
    },
  });
const question = 'What is the weather in Paris and in Rome?';
const answered = await generateText({ model, prompt: question, tools: { get_weather: weather(asked) }, maxSteps: 3 });
const streamedAnswer = streamText({ model, prompt: question, tools: { get_weather: weather([]) }, maxSteps: 3 });

const failed = await generateText({ model: gateway('acme/unknown'), prompt, maxRetries: 0 }).catch((error) => error);

const summary = (result, said) => ({ text: said, finish: result.finishReason, usage: result.usage });
console.log(
  JSON.stringify({
    whole: summary(whole, whole.text),
    streamed: summary({ finishReason: await stream.finishReason, usage: await stream.usage }, text),
    tools: {
      asked,
      steps: answered.steps.length,
      text: answered.text,
      streamedText: await streamedText(streamedAnswer),
    },
    error: APICallError.isInstance(failed) && { status: failed.statusCode, retryable: failed.isRetryable },
  }),
);

/** The text of the last step: `textStream` has that of all. */
async function streamedText(result) {
  for await (const _ of result.textStream);
  return result.text;
}
