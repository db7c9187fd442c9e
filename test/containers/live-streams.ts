import { type ChatBody, openChat, readChat, type Target } from '../resilience/chat-client.ts';
import { eventually } from '../resilience/observe.ts';

/** So many new streams are begun at once while the number grows. */
const WAVE = 50;

/** Keeps so many streams open, a new one for each that ends, until told to let them end. */
export class LiveStreams {
  readonly #target: Target;
  readonly #body: ChatBody;
  readonly #text: string;
  readonly #running = new Set<Promise<void>>();
  #refilling = true;
  /** With their first token received and their end not. */
  live = 0;
  whole = 0;
  /** What became of those that did not come whole. */
  readonly broken: string[] = [];

  /** @param text what each of them has to say */
  constructor(target: Target, body: ChatBody, text: string) {
    this.#target = target;
    this.#body = { ...body, stream: true };
    this.#text = text;
  }

  get ended(): number {
    return this.whole + this.broken.length;
  }

  async growTo(count: number): Promise<void> {
    for (let begun = 0; begun < count; begun += WAVE) {
      for (let i = 0; i < Math.min(WAVE, count - begun); i++) this.#begin();
      const wanted = Math.min(begun + WAVE, count);
      await eventually(`${wanted} streams are live`, () => this.live + this.ended >= wanted, 20_000);
    }
  }

  #begin(): void {
    const stream = this.#run().finally(() => {
      this.#running.delete(stream);
      if (this.#refilling) this.#begin();
    });
    this.#running.add(stream);
  }

  async #run(): Promise<void> {
    const request = openChat(this.#target, this.#body);
    let counted = false;
    try {
      await request.untilText('"content":"');
      this.live++;
      counted = true;
      const answer = await readChat(request);
      const whole = answer.status === 200 && answer.end === 'complete' && answer.done && answer.text === this.#text;
      if (whole) this.whole++;
      else this.broken.push(`${answer.status} ${answer.end} ${answer.raw.slice(-300)}`);
    } catch (error) {
      this.broken.push(`${error instanceof Error ? error.message : String(error)} ${request.text.slice(-300)}`);
    } finally {
      if (counted) this.live--;
    }
  }

  /** Begins no new ones and resolves when the last has ended. */
  async letEnd(): Promise<void> {
    this.#refilling = false;
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
