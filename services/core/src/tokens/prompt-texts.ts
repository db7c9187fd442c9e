/** What of a chat request costs tokens of its prompt. */
export interface PromptTexts {
  readonly texts: readonly string[];
  /** Tokens beside those of the texts: what frames the messages, and images, sound and files by rule of thumb. */
  readonly others: number;
}

/** OpenAI's own rule (cookbook, "How to count tokens"): three and the role for each message, three for the answer's beginning. */
const OF_A_MESSAGE = 4;
const OF_THE_ANSWER = 3;
/** An image at `detail: low`, and at any other one of medium size (OpenAI, "Images and vision"): four tiles and the base. */
const OF_A_SMALL_IMAGE = 85;
const OF_AN_IMAGE = 765;
/** Sound and files: tokens by the length of their base64; a page of a PDF, or a second of sound, is some hundred kilobytes or ten. */
const CHARACTERS_OF_A_TOKEN = 140;

/** Reads an OpenAI chat request that may be anything: what is not understood costs nothing. Throws a SyntaxError for what is no JSON. */
export function promptTexts(json: string): PromptTexts {
  const body = recordOf(JSON.parse(json));
  const found = new Found();
  for (const message of listOf(body.messages)) found.message(recordOf(message));
  for (const name of ['tools', 'functions', 'response_format']) found.json(body[name]);
  found.others += OF_THE_ANSWER;
  return found;
}

class Found implements PromptTexts {
  readonly texts: string[] = [];
  others = 0;

  message(message: Readonly<Record<string, unknown>>): void {
    this.others += OF_A_MESSAGE;
    for (const name of ['name', 'refusal', 'reasoning']) this.#text(message[name]);
    if (typeof message.content === 'string') this.#text(message.content);
    else for (const part of listOf(message.content)) this.#part(recordOf(part));
    for (const call of [...listOf(message.tool_calls), { function: message.function_call }]) {
      const { name, arguments: given } = recordOf(recordOf(call).function);
      this.#text(name);
      this.#text(given);
    }
  }

  #part(part: Readonly<Record<string, unknown>>): void {
    if (part.type === 'image_url') {
      this.others += recordOf(part.image_url).detail === 'low' ? OF_A_SMALL_IMAGE : OF_AN_IMAGE;
    } else if (part.type === 'input_audio') this.#data(recordOf(part.input_audio).data);
    else if (part.type === 'file') {
      const { file_data, data } = recordOf(part.file);
      this.#data(file_data ?? data);
    } else {
      this.#text(part.text);
      this.#text(part.refusal);
    }
  }

  json(value: unknown): void {
    if (typeof value === 'object' && value !== null) this.#text(JSON.stringify(value));
  }

  #text(value: unknown): void {
    if (typeof value === 'string' && value !== '') this.texts.push(value);
  }

  #data(value: unknown): void {
    if (typeof value === 'string') this.others += Math.ceil(value.length / CHARACTERS_OF_A_TOKEN);
  }
}

const recordOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
