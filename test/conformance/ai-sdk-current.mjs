// Asks the gateway through the current AI SDK and prints what came back, as JSON. ai-sdk.test.ts runs it and looks at the
// answers. It is a program of its own because the tests run with the condition `source`, which a package of the AI SDK
// answers with TypeScript that node does not take.
import { readFileSync } from 'node:fs';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, isStepCount, Output, streamText, tool } from 'ai';
import { z } from 'zod';

const gateway = createOpenAICompatible({
  name: 'headgate',
  apiKey: process.env.AI_GATEWAY_API_KEY,
  baseURL: process.env.GATEWAY_BASE_URL,
  includeUsage: true,
  supportsStructuredOutputs: true,
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
    inputSchema: z.object({ location: z.string() }),
    execute: async ({ location }) => {
      log.push(location);
      return `sunny in ${location}`;
    },
  });
const question = 'What is the weather in Paris and in Rome?';
const stopWhen = isStepCount(3);
const answered = await generateText({ model, prompt: question, tools: { get_weather: weather(asked) }, stopWhen });
const streamedAnswer = streamText({ model, prompt: question, tools: { get_weather: weather([]) }, stopWhen });

const schema = z.object({ name: z.string(), width: z.number(), tags: z.array(z.string()) });
const structured = await generateText({ model, prompt: 'Describe a gate.', output: Output.object({ schema }) });

await generateText({
  model,
  instructions: 'Be brief.',
  messages: [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What are these?' },
        { type: 'file', data: readFileSync('path/to/image.png'), mediaType: 'image/png' },
        { type: 'file', data: readFileSync('path/to/document.pdf'), mediaType: 'application/pdf', filename: 'a.pdf' },
      ],
    },
  ],
  providerOptions: { headgate: { providerOptions: { gateway: { order: ['vertex'] } } } },
});

const failed = await generateText({ model: gateway('acme/unknown'), prompt, maxRetries: 0 }).catch((error) => error);

const summary = (result, said) => {
  const { inputTokens, outputTokens } = result.usage;
  return { text: said, finish: result.finishReason, usage: { inputTokens, outputTokens } };
};
console.log(
  JSON.stringify({
    whole: summary(whole, whole.text),
    streamed: summary({ finishReason: await stream.finishReason, usage: await stream.usage }, text),
    model: whole.response.modelId,
    tools: { asked, steps: answered.steps.length, text: answered.text, streamedText: await streamedAnswer.text },
    structured: schema.parse(structured.output),
    error: APICallError.isInstance(failed) && { status: failed.statusCode, retryable: failed.isRetryable },
  }),
);
