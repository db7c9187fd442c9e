import { toBinary } from '@bufbuild/protobuf';
import { type UsageRecord, UsageRecordSchema } from '@headgate/proto/usage';
import { LuaScript, type RedisClient, type RedisKeys } from '../redis/index.ts';
import { dimensionsOf } from './dimensions.ts';
import { generationSlice } from './generation-id.ts';
import { measuresOf } from './sums.ts';

const ROLL_UP = new LuaScript(new URL('./roll-up.lua', import.meta.url));

/** Lua can unpack no more than some thousand values at once. */
const MOST_A_CALL = 500;
/** End users and tags are the caller's words: what comes beyond so many different rows a day is added up in one. */
const MOST_ROWS = 10_000;
export const OTHER_ROW = JSON.stringify(['(other)', '(other)', '(other)', 'system', [], '', '']);
const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;

export interface Retention {
  /** How long single generations can be asked for, hours. */
  readonly generationHours: number;
  /** How long daily sums are kept; hourly ones at most 35 days. */
  readonly reportDays: number;
}

/** Adds generations to the sums that reports are made of. Telling one twice adds it once. */
export class RollUp {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys['ledger'];
  readonly #retention: Retention;

  constructor(client: RedisClient, keys: RedisKeys, retention: Retention) {
    this.#client = client;
    this.#keys = keys.ledger;
    this.#retention = retention;
  }

  /** Returns how many were new. */
  async add(records: readonly UsageRecord[]): Promise<number> {
    const slices = Map.groupBy(records, ({ generationId }) => generationSlice(generationId));
    let added = 0;
    for (const [slice, of] of slices) {
      for (let at = 0; at < of.length; at += MOST_A_CALL)
        added += await this.#addTo(slice, of.slice(at, at + MOST_A_CALL));
    }
    return added;
  }

  async #addTo(slice: number, records: readonly UsageRecord[]): Promise<number> {
    const keys = [this.#keys.generations(slice)];
    const lifetimes: number[] = [];
    const places = new Map<string, number>();
    const placeOf = (key: string, lifetimeS: number): number => {
      let place = places.get(key);
      if (place === undefined) {
        place = keys.push(key);
        lifetimes.push(lifetimeS);
        places.set(key, place);
      }
      return place;
    };
    const days = new Map<string, Set<string>>();
    const entries = records.flatMap((record) => {
      const { principalId, generationId } = record;
      const iso = new Date(Number(record.createdAtMs)).toISOString();
      const day = iso.slice(0, 10);
      days.set(day, (days.get(day) ?? new Set()).add(principalId));
      const dimensions = dimensionsOf(record);
      const reportS = this.#retention.reportDays * DAY_S;
      const targets = [
        `${placeOf(this.#keys.sums(principalId, day), reportS)}=${dimensions}`,
        `${placeOf(this.#keys.sums(principalId, iso.slice(0, 13)), Math.min(reportS, 35 * DAY_S))}=${dimensions}`,
        `${placeOf(this.#keys.total(principalId), 0)}=all`,
      ];
      return [generationId, Buffer.from(toBinary(UsageRecordSchema, record)), measuresOf(record), targets.join('\n')];
    });
    for (const [day, principals] of days) await this.#remember(day, [...principals]);
    const reply = await ROLL_UP.run(this.#client, keys, [
      this.#retention.generationHours * HOUR_S,
      lifetimes.join(','),
      MOST_ROWS,
      OTHER_ROW,
      records.length,
      ...entries,
    ]);
    return Number(reply);
  }

  /** First, so that no sum is there that a report over all keys would not find. */
  async #remember(day: string, principals: readonly string[]): Promise<void> {
    const key = this.#keys.principals(day);
    if ((await this.#client.sadd(key, ...principals)) > 0)
      await this.#client.expire(key, this.#retention.reportDays * DAY_S);
  }
}
