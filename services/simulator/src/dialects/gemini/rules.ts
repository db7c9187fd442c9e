import type { Content, FunctionDeclaration, GenerationConfig, Part, ThinkingConfig, Tool } from '@google/genai';
import { badRequest, type Host, invalidRequest } from './errors.ts';
import { partData } from './fields.ts';
import type { GenerateRequest } from './request.ts';
import { checkSchema } from './schemaRules.ts';
import { isIssued } from './signature.ts';

/** What the service checks after parsing; throws an `ApiError`. `model` decides what a model takes. */
export function checkRules(request: GenerateRequest, host: Host, model: string): void {
  const problems: string[] = [];
  checkContents(request, host, problems);
  checkTools(request, problems);
  checkConfig(request.generationConfig ?? {}, problems);
  if (problems.length > 0) throw invalidRequest(problems);
  checkTurns(request.contents ?? []);
  checkSignatures(request.contents ?? [], host, model);
  checkModel(request, model);
}

function checkContents({ contents = [], systemInstruction }: GenerateRequest, host: Host, problems: string[]): void {
  if (contents.length === 0) problems.push('contents: contents is not specified');
  contents.forEach(({ role, parts = [] }, index) => {
    const path = `contents[${index}]`;
    if (role !== undefined && role !== 'user' && role !== 'model' && role !== 'function')
      throw badRequest('Please use a valid role: user, model.');
    if (role === undefined && contents.length > 1) throw badRequest('Please use a valid role: user, model.');
    if (parts.length === 0) problems.push(`${path}.parts: contents.parts must not be empty.`);
    parts.forEach((part, at) => {
      checkPart(part, role, `${path}.parts[${at}]`, host, problems);
    });
  });
  if (systemInstruction?.parts?.some(({ text }) => text === undefined))
    throw badRequest('System instruction must be text only.');
}

function checkPart(part: Part, role: string | undefined, path: string, host: Host, problems: string[]): void {
  if (!partData.some((name) => part[name] !== undefined))
    problems.push(`${path}.data: required oneof field 'data' must have one initialized field`);
  if (host === 'vertex' && part.text === '' && part.thoughtSignature === undefined)
    throw badRequest(
      'Unable to submit request because it must have a text parameter. Add a text parameter and try again.',
    );
  for (const [name, value] of [
    ['function_call', part.functionCall],
    ['function_response', part.functionResponse],
  ] as const)
    if (value !== undefined && (value.name ?? '') === '') problems.push(`${path}.${name}.name: Name cannot be empty.`);
  if (part.functionResponse !== undefined && part.functionResponse.response === undefined)
    problems.push(`${path}.function_response.response: response is required`);
  if (part.functionCall !== undefined && role !== 'model')
    throw badRequest('Please ensure that function call parts are in a content of role model.');
  if (part.functionResponse !== undefined && role === 'model')
    throw badRequest('Please ensure that function response parts are in a content of role user.');
}

export function declarationsOf(tools: readonly Tool[] = []): FunctionDeclaration[] {
  return tools.flatMap((tool) => ('functionDeclarations' in tool ? (tool.functionDeclarations ?? []) : []));
}

const functionName = /^[A-Za-z_][A-Za-z0-9_.:-]{0,63}$/;

function checkTools({ tools, toolConfig }: GenerateRequest, problems: string[]): void {
  const declarations = declarationsOf(tools);
  const names = new Set<string>();
  declarations.forEach(({ name = '', parameters, parametersJsonSchema }, index) => {
    const path = `tools[0].function_declarations[${index}]`;
    if (!functionName.test(name))
      problems.push(
        `${path}.name: Invalid function name. Must start with a letter or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 64.`,
      );
    if (names.has(name)) throw badRequest(`Duplicate function declaration found: ${name}`);
    names.add(name);
    if (parameters !== undefined && parametersJsonSchema !== undefined)
      problems.push(`${path}.parameters_json_schema: only one of parameters and parameters_json_schema may be set`);
    if (parameters !== undefined) checkSchema(parameters, `${path}.parameters`, problems);
  });
  const { mode, allowedFunctionNames: allowed = [] } = toolConfig?.functionCallingConfig ?? {};
  if (toolConfig?.functionCallingConfig !== undefined && mode !== 'NONE' && declarations.length === 0)
    throw badRequest('Function calling config is set without function_declarations.');
  if (allowed.length > 0 && mode !== 'ANY' && mode !== 'VALIDATED')
    throw badRequest('Allowed function names should be set only when function calling mode is ANY or VALIDATED.');
  const unknown = allowed.find((name) => !names.has(name));
  if (unknown !== undefined)
    throw badRequest(`Allowed function name ${unknown} is not among the function declarations.`);
}

const maxStopSequences = 5;
const maxCandidates = 8;

function checkConfig(config: GenerationConfig, problems: string[]): void {
  const at = (name: string, problem: string) => problems.push(`generation_config.${name}: ${problem}`);
  const range = (name: string, value: number | undefined, min: number, max: number) => {
    if (value !== undefined && (value < min || value > max)) at(name, `${name} must be in the range [${min}, ${max}].`);
  };
  range('temperature', config.temperature, 0, 2);
  range('top_p', config.topP, 0, 1);
  range('candidate_count', config.candidateCount, 1, maxCandidates);
  range('presence_penalty', config.presencePenalty, -2, 2);
  range('frequency_penalty', config.frequencyPenalty, -2, 2);
  if (config.maxOutputTokens !== undefined && config.maxOutputTokens < 1)
    at('max_output_tokens', 'max_output_tokens must be positive.');
  if (config.topK !== undefined && config.topK < 1) at('top_k', 'top_k must be positive.');
  const { stopSequences = [], responseMimeType: mime, responseSchema, responseJsonSchema } = config;
  if (stopSequences.length > maxStopSequences) at('stop_sequences', `at most ${maxStopSequences} are allowed.`);
  if (stopSequences.includes('')) at('stop_sequences', 'a stop sequence must not be empty.');
  if (mime !== undefined && !['text/plain', 'application/json', 'text/x.enum'].includes(mime))
    at(
      'response_mime_type',
      'allowed mimetypes are `text/plain`, `application/json`, `application/xml`, `application/yaml` and `text/x.enum`.',
    );
  if (responseSchema !== undefined && responseJsonSchema !== undefined)
    at('response_json_schema', 'only one of response_schema and response_json_schema may be set.');
  if ((responseSchema ?? responseJsonSchema) !== undefined && (mime === undefined || mime === 'text/plain'))
    at('response_schema', "only allowed when response_mime_type is 'application/json'.");
  if (responseSchema !== undefined) checkSchema(responseSchema, 'generation_config.response_schema', problems);
  if (config.logprobs !== undefined && config.responseLogprobs !== true)
    at('logprobs', 'logprobs may only be set when response_logprobs is true.');
}

const callsIn = (content: Content | undefined) =>
  content?.parts?.flatMap(({ functionCall }) => (functionCall === undefined ? [] : [functionCall])) ?? [];
const responsesIn = (content: Content | undefined) =>
  content?.parts?.flatMap(({ functionResponse }) => (functionResponse === undefined ? [] : [functionResponse])) ?? [];

/** Calls follow a user's turn, responses follow calls, one for one. */
function checkTurns(contents: readonly Content[]): void {
  contents.forEach((content, index) => {
    const previous = contents[index - 1];
    const responses = responsesIn(content);
    const calls = callsIn(previous);
    if (callsIn(content).length > 0 && (previous === undefined || previous.role === 'model'))
      throw badRequest(
        'Please ensure that function call turn comes immediately after a user turn or after a function response turn.',
      );
    if (responses.length > 0 && calls.length === 0)
      throw badRequest('Please ensure that function response turn comes immediately after a function call turn.');
    checkAnswered(calls, responses);
  });
  checkAnswered(callsIn(contents.at(-1)), []);
}

function checkAnswered(calls: readonly { name?: string }[], responses: readonly { name?: string }[]): void {
  if (calls.length !== responses.length)
    throw badRequest(
      'Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.',
    );
  const names = calls.map(({ name }) => name).sort();
  const answered = responses.map(({ name }) => name).sort();
  const stranger = answered.find((name, index) => name !== names[index]);
  if (stranger !== undefined)
    throw badRequest(
      `Please ensure that the name of each function response matches that of its function call: ${stranger}.`,
    );
}

/**
 * Signatures must come back as they were given. Gemini 3 demands them in the current turn, that is since the user last
 * said something: on the first call of each step.
 */
function checkSignatures(contents: readonly Content[], host: Host, model: string): void {
  const forged = contents.some(({ parts = [] }) => parts.some((part) => !isIssued(part)));
  if (forged)
    throw badRequest(
      host === 'vertex'
        ? 'Unable to submit request because Thought signature is not valid.. Learn more: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini'
        : 'Corrupted thought signature.',
    );
  if (!model.includes('gemini-3')) return;
  const turn = contents.findLastIndex((content) => content.role !== 'model' && responsesIn(content).length === 0);
  contents.forEach(({ parts = [] }, index) => {
    const first = index > turn ? parts.find(({ functionCall }) => functionCall !== undefined) : undefined;
    if (first === undefined || first.thoughtSignature) return;
    throw badRequest(
      `Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance. Additional data, function call \`default_api:${first.functionCall?.name}\` , position ${index + 1}. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details.`,
    );
  });
}

function checkModel(request: GenerateRequest, model: string): void {
  const config = request.generationConfig ?? {};
  const isThird = model.includes('gemini-3');
  if (config.thinkingConfig !== undefined) checkThinking(config.thinkingConfig, model, isThird);
  if (config.responseModalities?.some((modality) => modality === 'IMAGE') && model !== '' && !model.includes('image'))
    throw badRequest('This model only supports text output.');
  if (
    !isThird &&
    model !== '' &&
    config.responseMimeType === 'application/json' &&
    declarationsOf(request.tools).length > 0
  )
    throw badRequest("Function calling with a response mime type: 'application/json' is unsupported");
}

/** docs: "Gemini thinking". */
const budgets: readonly (readonly [string, number, number])[] = [
  ['2.5-pro', 128, 32_768],
  ['2.5-flash-lite', 512, 24_576],
  ['2.5-flash', 1, 24_576],
];

function checkThinking(
  { thinkingBudget: budget, thinkingLevel: level }: ThinkingConfig,
  model: string,
  isThird: boolean,
) {
  if (budget !== undefined && level !== undefined)
    throw badRequest('You can only set only one of thinking budget and thinking level.');
  if (/gemini-(1|2\.0)/.test(model)) throw badRequest('Thinking is not enabled for this model.');
  if (level !== undefined && !isThird && model !== '')
    throw badRequest('Thinking level is not supported for this model.');
  if (budget === undefined || budget === -1) return;
  if (budget === 0 && (model.includes('2.5-pro') || /gemini-3.*pro/.test(model)))
    throw badRequest('Budget 0 is invalid. This model only works in thinking mode.');
  const known = budgets.find(([name]) => model.includes(name));
  const [, min, max] = known ?? ['', 1, 32_768];
  if (budget !== 0 && (budget < min || budget > max))
    throw badRequest(`The thinking budget ${budget} is invalid. Please choose a value between ${min} and ${max}.`);
}
