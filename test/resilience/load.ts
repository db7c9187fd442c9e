import { type ChatBody, type ChatResult, chat, type Target } from './chat-client.ts';

/** Requests one after the other from several clients, each on connections of its own, until `stop`. */
export class Load {
  readonly answers: ChatResult[] = [];
  /** What became of requests that got no whole answer. */
  readonly failures: string[] = [];
  readonly #clients: Promise<void>[];
  readonly #watchers = new Set<() => void>();
  #stopping = false;

  constructor(target: Target, clients: number, body: ChatBody) {
    this.#clients = Array.from({ length: clients }, () => this.#run(target, body));
  }

  async #run(target: Target, body: ChatBody): Promise<void> {
    while (!this.#stopping) {
      try {
        const answer = await chat(target, body);
        if (answer.status === 200 && answer.end === 'complete' && (body.stream !== true || answer.done)) {
          this.answers.push(answer);
        } else this.failures.push(`${answer.status} ${answer.end} ${answer.raw.slice(0, 300)}`);
      } catch (error) {
        this.failures.push(error instanceof Error ? error.message : String(error));
      }
      for (const look of this.#watchers) look();
    }
  }

  /** Resolves after this many more requests have been answered or have failed. */
  async more(count: number, timeoutMs = 10_000): Promise<void> {
    const ended = () => this.answers.length + this.failures.length;
    const wanted = ended() + count;
    await new Promise<void>((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        settle();
      };
      const look = (): void => {
        if (ended() >= wanted) finish(resolve);
      };
      const timer = setTimeout(
        () => finish(() => reject(new Error(`${ended()} of ${wanted} requests ended within ${timeoutMs} ms`))),
        timeoutMs,
      );
      this.#watchers.add(look);
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#clients);
  }
}
