import { fromBinary } from '@bufbuild/protobuf';
import { UsageBatchSchema, type UsageRecord } from '@headgate/proto/usage';
import type { RedisClient, RedisKeys } from '../redis/index.ts';
import type { RollUp } from './roll-up.ts';

const GROUP = 'roll-up';
const ENTRIES_A_READ = 50;
/** Entries that another reader took and did not finish: it is dead. */
const ABANDONED_MS = 30_000;
const CLAIM_EVERY_MS = 10_000;

export interface StreamReaderLog {
  error(message: string, fields?: Record<string, unknown>): void;
}

/**
 * Rolls up what ingress processes have written. Several may run: each entry goes to one of them, and those of one that
 * died are taken over.
 */
export class StreamReader {
  readonly #client: RedisClient;
  readonly #stream: string;
  readonly #name: string;
  readonly #rollUp: RollUp;
  readonly #log: StreamReaderLog;
  readonly #abandonedMs: number;
  #claimedAt = Number.NEGATIVE_INFINITY;

  /** `name` is unique to the process. */
  constructor(
    client: RedisClient,
    keys: RedisKeys,
    rollUp: RollUp,
    name: string,
    log: StreamReaderLog,
    abandonedMs = ABANDONED_MS,
  ) {
    this.#abandonedMs = abandonedMs;
    this.#client = client;
    this.#stream = keys.ledger.stream;
    this.#name = name;
    this.#rollUp = rollUp;
    this.#log = log;
  }

  /**
   * Takes what is there until nothing is left; returns how many generations were added. Throws when Redis is away;
   * `onAdded` has then heard of what was added before.
   */
  async drain(onAdded: (generations: number) => void = () => {}): Promise<number> {
    let added = 0;
    const take = async (entries: readonly Entry[]): Promise<void> => {
      const now = await this.#process(entries);
      added += now;
      onAdded(now);
    };
    if (performance.now() - this.#claimedAt >= CLAIM_EVERY_MS) {
      this.#claimedAt = performance.now();
      await take(await this.#abandoned());
    }
    for (;;) {
      const entries = await this.#read();
      if (entries.length === 0) return added;
      await take(entries);
    }
  }

  async #read(): Promise<Entry[]> {
    const read = () =>
      this.#client.xreadgroupBuffer('GROUP', GROUP, this.#name, 'COUNT', ENTRIES_A_READ, 'STREAMS', this.#stream, '>');
    const reply = await this.#inGroup<unknown>(read);
    const [[, entries] = [null, []]] = (reply ?? []) as [Buffer, RawEntry[]][];
    return entries.flatMap(toEntry);
  }

  async #abandoned(): Promise<Entry[]> {
    const client: ClaimsBuffers = this.#client as RedisClient & ClaimsBuffers;
    const claim = () =>
      client.xautoclaimBuffer(this.#stream, GROUP, this.#name, this.#abandonedMs, '0', 'COUNT', ENTRIES_A_READ);
    const reply = (await this.#inGroup<unknown>(claim)) as [Buffer, RawEntry[]];
    return (reply?.[1] ?? []).flatMap(toEntry);
  }

  /** The group is made when it is first needed, and again when Redis has lost it. */
  async #inGroup<T>(use: () => Promise<T>): Promise<T> {
    try {
      return await use();
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOGROUP')) throw error;
      await this.#client.xgroup('CREATE', this.#stream, GROUP, '0', 'MKSTREAM').catch((thrown: unknown) => {
        // Another replica was faster.
        if (!(thrown instanceof Error) || !thrown.message.startsWith('BUSYGROUP')) throw thrown;
      });
      return use();
    }
  }

  async #process(entries: readonly Entry[]): Promise<number> {
    if (entries.length === 0) return 0;
    const added = await this.#rollUp.add(entries.flatMap((entry) => this.#records(entry)));
    const ids = entries.map(({ id }) => id);
    await this.#client.xack(this.#stream, GROUP, ...ids);
    await this.#client.xdel(this.#stream, ...ids);
    return added;
  }

  #records({ id, batch }: Entry): readonly UsageRecord[] {
    try {
      return fromBinary(UsageBatchSchema, batch).records;
    } catch {
      this.#log.error('an entry of the usage stream cannot be read and is left out', { entry: id });
      return [];
    }
  }
}

/** ioredis has it, its types have not. */
interface ClaimsBuffers {
  xautoclaimBuffer(...args: readonly (string | number)[]): Promise<unknown>;
}

type RawEntry = readonly [id: Buffer, fields: readonly Buffer[] | null];

interface Entry {
  readonly id: string;
  readonly batch: Buffer;
}

/** An entry that was deleted meanwhile has no fields. */
function toEntry([id, fields]: RawEntry): Entry[] {
  const at = fields?.findIndex((field, i) => i % 2 === 0 && field.toString() === 'batch') ?? -1;
  const batch = at < 0 ? undefined : fields?.[at + 1];
  return batch === undefined ? [] : [{ id: id.toString(), batch }];
}
