import { duplicateAsSubscriber, LuaScript, type RedisClient, type RedisKeys } from '../redis/index.ts';
import { Shortages } from './shortages.ts';

const HEARTBEAT = new LuaScript(new URL('./heartbeat.lua', import.meta.url));

/** Who says nothing for so long is dead. */
const DEAD_MS = 3_500;
/** All others have heard of a new replica after this. */
const KNOWN_MS = 2_500;

/** How many replicas share the limits, and what they tell each other. */
export class Replicas {
  readonly shortages: Shortages;
  readonly #client: RedisClient;
  readonly #subscriber: RedisClient;
  readonly #keys: RedisKeys['limits'];
  readonly #id: string;
  #count = 1;
  #since: number | null = null;

  constructor(client: RedisClient, keys: RedisKeys['limits'], id: string) {
    this.#client = client;
    this.#keys = keys;
    this.#id = id;
    // What came up within one turn is told together.
    this.shortages = new Shortages(() => setImmediate(() => void this.#tellNews()));
    this.#subscriber = duplicateAsSubscriber(client, 'headgate-limits-notifications');
    this.#subscriber.on('message', (_channel: string, text: string) => this.#hearNews(text));
    this.#subscriber.subscribe(keys.news).catch(() => {
      // `stop` came first; the subscription of a lost connection is renewed by the client itself.
    });
  }

  /** As last heard, this one included. */
  get count(): number {
    return this.#count;
  }

  /** When the others count this one, so that all shares together are one whole; `performance.now()`. */
  get knownSince(): number {
    return this.#since === null ? Number.POSITIVE_INFINITY : this.#since + KNOWN_MS;
  }

  async beat(): Promise<void> {
    const sentAt = performance.now();
    const reply = await this.#run('beat', this.shortages.tell(sentAt));
    const [count, ...told] = reply as [unknown, ...unknown[]];
    this.#count = Math.max(1, Number(count));
    const byReplica = new Map<string, string>();
    for (let i = 0; i + 1 < told.length; i += 2) byReplica.set(String(told[i]), String(told[i + 1]));
    this.shortages.hear(byReplica, sentAt);
    // Alone there is nobody who has to hear of it.
    this.#since ??= this.#count === 1 ? performance.now() - KNOWN_MS : performance.now();
  }

  async leave(): Promise<void> {
    await this.#run('leave', '');
  }

  stop(): void {
    this.#subscriber.disconnect();
  }

  #run(what: 'beat' | 'leave', shortages: string): Promise<unknown> {
    const { replicas, shortages: key } = this.#keys;
    return HEARTBEAT.run(this.#client, [replicas, key], [this.#id, DEAD_MS, what, shortages]);
  }

  async #tellNews(): Promise<void> {
    const text = this.shortages.tellNews(performance.now());
    if (text === '' || this.#count === 1) return;
    // The next heartbeat tells it again, and that Redis is away is noticed by it as well.
    await this.#client.publish(this.#keys.news, JSON.stringify([this.#id, text])).catch(() => undefined);
  }

  #hearNews(message: string): void {
    const [replica, text] = parsed(message);
    if (typeof replica !== 'string' || typeof text !== 'string' || replica === this.#id) return;
    this.shortages.hearNews(replica, text, performance.now());
  }
}

/** A replica of another version may tell what this one does not understand. */
function parsed(message: string): readonly unknown[] {
  try {
    const news: unknown = JSON.parse(message);
    return Array.isArray(news) ? news : [];
  } catch {
    return [];
  }
}
